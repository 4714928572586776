/*
 * The words that policy tables are written with. Only for the tables themselves.
 */
#ifndef METAWARD_POLICY_TABLE_H
#define METAWARD_POLICY_TABLE_H

#include "policy/policy.h"

#include <sys/syscall.h>

/* One pinned argument: 32 bits as the kernel takes ints, a whole pointer, or the one address. */
#define INT(n, v)                                                                                            \
    {                                                                                                        \
        .argument = (n), .mask = 0xffffffffU, .value = (uint32_t)(v), .text = #v                             \
    }
#define BITS(n, m, v)                                                                                        \
    {                                                                                                        \
        .argument = (n), .mask = (uint32_t)(m), .value = (uint32_t)(v), .text = #v " in " #m                 \
    }
#define NONE(n)                                                                                              \
    {                                                                                                        \
        .argument = (n), .mask = UINT64_MAX, .value = 0, .text = "NULL"                                      \
    }
#define ADDRESS(n)                                                                                           \
    {                                                                                                        \
        .argument = (n), .source = POLICY_ADDRESS, .mask = UINT64_MAX, .text = "the pinned address"          \
    }
#define ADDRESS_LEN(n)                                                                                       \
    {                                                                                                        \
        .argument = (n), .source = POLICY_ADDRESS_LENGTH, .mask = 0xffffffffU, .text = "its length"          \
    }

#define FAMILY(n)                                                                                            \
    {                                                                                                        \
        .argument = (n), .source = POLICY_FAMILY, .mask = 0xffffffffU, .text = "the pinned address's family" \
    }

#define COUNT_PINS(...) (sizeof((struct policy_pin[]){__VA_ARGS__}) / sizeof(struct policy_pin))

#define BARE(call, reason)                                                                                   \
    {                                                                                                        \
        .number = SYS_##call, .name = #call, .why = (reason)                                                 \
    }
#define PINNED(call, reason, ...)                                                                            \
    {                                                                                                        \
        .number = SYS_##call, .name = #call, .why = (reason), .pin_count = COUNT_PINS(__VA_ARGS__),          \
        .pins = {                                                                                            \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }
#define REFUSED(call, err, reason)                                                                           \
    {                                                                                                        \
        .number = SYS_##call, .name = #call, .action = POLICY_REFUSE, .error = (err), .why = (reason)        \
    }

/* A line that tests can't reach on every machine, with the reason. */
#define BARE_UNUSED(call, reason, because)                                                                   \
    {                                                                                                        \
        .number = SYS_##call, .name = #call, .why = (reason), .unused = (because)                            \
    }
#define REFUSED_UNUSED(call, err, reason, because)                                                           \
    {                                                                                                        \
        .number = SYS_##call, .name = #call, .action = POLICY_REFUSE, .error = (err), .why = (reason),       \
        .unused = (because)                                                                                  \
    }
#define PINNED_UNUSED(call, reason, because, ...)                                                            \
    {                                                                                                        \
        .number = SYS_##call, .name = #call, .why = (reason), .unused = (because),                           \
        .pin_count = COUNT_PINS(__VA_ARGS__), .pins = {                                                      \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }

/* Lines and their number, for struct policy. */
#define LINES(table) table, sizeof(table) / sizeof((table)[0])
#define NO_LINES     NULL, 0

/* Calls of sanitized builds only. What every process needs there, its runtimes' start, shadow memory and
 * reports, stands here once; what one process needs besides is said with its policy. */
#ifdef METAWARD_SANITIZED
#define DELTA(call)                                                                                          \
    {                                                                                                        \
        .number = SYS_##call, .name = #call, .delta = true, .why = "sanitizers: start, print a report, stop" \
    }
#define DELTA_OF_ALL                                                                                         \
    DELTA(getpid), DELTA(gettid), DELTA(tgkill), DELTA(rt_sigprocmask), DELTA(rt_sigaction),                 \
        DELTA(sigaltstack), DELTA(sched_yield), DELTA(futex), DELTA(munmap)
#define MORE_WHERE_SANITIZED(...) static const struct policy_line more[] = {DELTA_OF_ALL, __VA_ARGS__}
#define MORE                      LINES(more)
#else
#define MORE_WHERE_SANITIZED(...) _Static_assert(true, "the shipped policy has no further lines")
#define MORE                      NO_LINES
#endif
#define POLICY(role, lines) const struct policy policy_##role = {#role, LINES(lines), NO_LINES, MORE}
/* Of two roles that reach the agent in different ways. */
#define POLICY_BY(role, lines, way)                                                                          \
    const struct policy policy_##role = {#role, LINES(lines), LINES(way), MORE}

/* Linux 6.10; not in every libc's list of numbers. */
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

#define ROLE(id, name) extern const struct policy policy_##name;
METAWARD_ROLES(ROLE)
#undef ROLE

#endif
