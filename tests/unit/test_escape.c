/*
 * The loaded filters, tried: every system call number in a child of its own, under each policy.
 *
 * A child that is killed by SIGSYS was stopped by the filter; everything else got through. What got through
 * must be exactly what the table says, with the pinned arguments and with nothing else in their place. All
 * other arguments are -1, so that a call that gets through fails in the kernel instead of doing something.
 */
#include "policy/filter.h"
#include "policy/roles.h"
#include "policy/table.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NUMBERS    501
#define X32        0x40000000L
#define NOBODY     65534
#define NO_PROCESS 0x3fffffff /* above any process number: kill() finds nobody */

static const char address[64]; /* stands for the agent's address */
static const struct policy_values values = {address, 110, AF_INET};

struct call {
    long number;
    unsigned long arguments[6];
};

/* Run one call under a filter. @return how the child ended, as wait4() tells it */
static int attempt(enum policy_role role, const struct call *call)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        const unsigned long *a = call->arguments;
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        alarm(2);                 /* a call that waits got through as well */
        signal(SIGSEGV, SIG_DFL); /* rt_sigreturn() can end so; cmocka's handler would make more calls */
        if (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0 ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !filter_load(role, &values))
            _exit(99);
        syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
        syscall(SYS_exit_group, 7);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 99);
    return status;
}

static bool stopped(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static uint64_t pin_value(const struct policy_pin *pin)
{
    if (pin->source == POLICY_ADDRESS)
        return (uint64_t)(uintptr_t)values.address;
    if (pin->source == POLICY_FAMILY)
        return values.family;
    return pin->source == POLICY_ADDRESS_LENGTH ? values.address_length : pin->value;
}

static void aim(struct call *call, long number, const struct policy_line *line)
{
    call->number = number;
    memset(call->arguments, 0xff, sizeof(call->arguments));
    if (number == SYS_kill)
        call->arguments[0] = NO_PROCESS;
    for (unsigned i = 0; line != NULL && i < line->pin_count; i++)
        call->arguments[line->pins[i].argument] = pin_value(&line->pins[i]);
}

static const struct policy_line *find(const struct policy *policy, long number)
{
    for (size_t i = 0; i < policy_length(policy); i++) {
        if (policy_at(policy, i)->number == number)
            return policy_at(policy, i);
    }
    return NULL;
}

/* Is it a call that only a sanitized build allows? */
static bool find_delta(enum policy_role role, long number)
{
    const struct policy_line *line = find(policy_of(role), number);
    return line != NULL && line->delta;
}

/*
 * Linux 6.14 and later pass uretprobe and uprobe by every filter, because the kernel's own probes make these
 * calls in any process. From anywhere but a probe's trampoline they fail and do nothing.
 */
static bool beyond_filters(long number)
{
    return number == 335 || number == 336;
}

static void survivors_equal_the_table(enum policy_role role)
{
    struct call call;
    for (long number = 0; number < NUMBERS; number++) {
        if (beyond_filters(number))
            continue;
        const struct policy_line *line = find(policy_of(role), number);
        aim(&call, number, line);
        if (stopped(attempt(role, &call)) != (line == NULL))
            fail_msg("%s: system call %ld %s", policy_of(role)->name, number,
                     line == NULL ? "got through" : "was stopped");
        aim(&call, number | X32, line);
        if (!stopped(attempt(role, &call)))
            fail_msg("%s: system call %ld got through with the x32 bit", policy_of(role)->name, number);
    }
    /* The kernel takes 32 bits of the number: the upper half must make no difference. */
    aim(&call, SYS_getppid | (1L << 32), NULL);
    assert_true(stopped(attempt(role, &call)));
    aim(&call, SYS_exit_group | (1L << 32), NULL);
    assert_false(stopped(attempt(role, &call)));
    aim(&call, -1, NULL);
    assert_true(stopped(attempt(role, &call)));
}

static bool matches(const struct policy_line *line, const struct call *call)
{
    bool all = line->number == call->number;
    for (unsigned i = 0; all && i < line->pin_count; i++) {
        const struct policy_pin *pin = &line->pins[i];
        all = (call->arguments[pin->argument] & pin->mask) == (pin_value(pin) & pin->mask);
    }
    return all;
}

static void judge(enum policy_role role, const struct call *call, const struct policy_line *line,
                  unsigned pin)
{
    const struct policy *policy = policy_of(role);
    bool allowed = false;
    for (size_t i = 0; i < policy_length(policy); i++)
        allowed = allowed || matches(policy_at(policy, i), call);
    if (stopped(attempt(role, call)) == allowed)
        fail_msg("%s: %s with argument %u = 0x%lx %s", policy->name, line->name,
                 (unsigned)line->pins[pin].argument, call->arguments[line->pins[pin].argument],
                 allowed ? "was stopped" : "got through");
}

/* Each pinned argument with each of its bits turned over, and with the bits that the kernel ignores. */
static void pins_hold(enum policy_role role)
{
    const struct policy *policy = policy_of(role);
    for (size_t i = 0; i < policy_length(policy); i++) {
        const struct policy_line *line = policy_at(policy, i);
        for (unsigned pin = 0; pin < line->pin_count; pin++) {
            for (unsigned bit = 0; bit < 64; bit += bit < 32 ? 1 : 5) {
                struct call call;
                aim(&call, line->number, line);
                call.arguments[line->pins[pin].argument] ^= 1UL << bit;
                judge(role, &call, line, pin);
            }
        }
    }
}

/* What the table refuses fails with that error and goes on. */
static void refused_calls_return(void **state)
{
    (void)state;
    for (size_t i = 0; i < policy_length(policy_of(POLICY_WORKER)); i++) {
        const struct policy_line *line = policy_at(policy_of(POLICY_WORKER), i);
        struct call call;
        if (line->action != POLICY_REFUSE)
            continue;
        aim(&call, line->number, NULL);
        assert_int_equal(attempt(POLICY_WORKER, &call), 7 << 8);
    }
}

/* The other ABI's way in. Where the kernel has it not, the child dies of SIGSEGV, which is as good. */
static void the_32_bit_entry_kills(void **state)
{
    (void)state;
#ifdef __x86_64__
    for (enum policy_role role = POLICY_PARENT; role < POLICY_ROLE_COUNT; role++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0) {
            struct rlimit none = {0, 0};
            setrlimit(RLIMIT_CORE, &none);
            signal(SIGSEGV, SIG_DFL);
            if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !filter_load(role, &values))
                _exit(99);
            long result = 20; /* getpid there, writev here */
            __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
            syscall(SYS_exit_group, 7);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_true(WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV);
    }
#endif
}

/* Two tests a role, of all that there are. */
#define TESTS_OF(NAME, name)                                                                                 \
    static void name##_survivors(void **state)                                                               \
    {                                                                                                        \
        (void)state;                                                                                         \
        survivors_equal_the_table(POLICY_##NAME);                                                            \
    }                                                                                                        \
                                                                                                             \
    static void name##_pins(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        pins_hold(POLICY_##NAME);                                                                            \
    }
METAWARD_ROLES(TESTS_OF)

/* What somebody would try who has taken over a process that deals with an agent over TCP. */
static void no_other_way_leads_out(void **state)
{
#define STREAM (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
    const unsigned long length = values.address_length, here = (unsigned long)values.address;
    const struct {
        enum policy_role role;
        struct call call;
    } tried[] = {
        {POLICY_DIALER, {SYS_connect, {3, here + 16, length, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_connect, {3, here, 16, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_connect, {3, 0, 0, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_socket, {AF_INET6, STREAM, 0, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_socket, {AF_UNIX, STREAM, 0, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_socket, {AF_NETLINK, SOCK_RAW, 0, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_socket, {AF_PACKET, SOCK_RAW, 0, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_socket, {AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_socket, {AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 1, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_socket, {AF_INET, STREAM, 262, 0, 0, 0}}}, /* MPTCP */
        {POLICY_DIALER, {SYS_sendto, {3, here, 1, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0}}},
        {POLICY_DIALER, {SYS_sendto, {3, here, 1, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_FASTOPEN, here, length}}},
        {POLICY_DIALER, {SYS_sendmsg, {3, here, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_recvfrom, {3, here, 1, MSG_DONTWAIT, 0, 0}}},
        {POLICY_DIALER, {SYS_recvmsg, {3, here, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_read, {3, here, 1, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_write, {3, here, 1, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_bind, {3, here, length, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_listen, {3, 1, 0, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_accept4, {3, 0, 0, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_setsockopt, {3, SOL_SOCKET, SO_MARK, here, 4, 0}}},
        {POLICY_DIALER, {SYS_setns, {3, 0, 0, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_mprotect, {here & ~4095UL, 4096, 3, 0, 0, 0}}},
        {POLICY_DIALER, {SYS_mmap, {here & ~4095UL, 4096, 3, 0x32, -1UL, 0}}},
        {POLICY_DIALER, {SYS_io_uring_setup, {8, here, 0, 0, 0, 0}}},
        {POLICY_WORKER_DIALED, {SYS_socket, {AF_UNIX, STREAM, 0, 0, 0, 0}}},
        {POLICY_WORKER_DIALED, {SYS_socket, {AF_INET, STREAM, 0, 0, 0, 0}}},
        {POLICY_WORKER_DIALED, {SYS_connect, {4, here, length, 0, 0, 0}}},
        {POLICY_WORKER_DIALED, {SYS_sendto, {4, here, 1, MSG_NOSIGNAL | MSG_DONTWAIT, here, length}}},
        {POLICY_WORKER_DIALED, {SYS_sendmsg, {3, here, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0, 0}}},
        {POLICY_WORKER_DIALED, {SYS_recvmsg, {4, here, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, 0, 0, 0}}},
        {POLICY_WORKER_DIALED, {SYS_bind, {4, here, length, 0, 0, 0}}},
        {POLICY_WORKER_DIALED, {SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, here, 0, 0}}},
        {POLICY_NURSERY_DIALED, {SYS_socket, {AF_UNIX, STREAM, 0, 0, 0, 0}}},
        {POLICY_NURSERY_DIALED, {SYS_socket, {AF_INET, STREAM, 0, 0, 0, 0}}},
        {POLICY_NURSERY_DIALED, {SYS_connect, {4, here, length, 0, 0, 0}}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(tried); i++) {
        if (find_delta(tried[i].role, tried[i].call.number))
            continue;
        if (!stopped(attempt(tried[i].role, &tried[i].call)))
            fail_msg("%s: system call %ld, number %zu in the list, got through",
                     policy_of(tried[i].role)->name, tried[i].call.number, i);
    }
#undef STREAM
}

int main(void)
{
#define BOTH(NAME, name) cmocka_unit_test(name##_survivors), cmocka_unit_test(name##_pins),
    static const struct CMUnitTest tests[] = {
        METAWARD_ROLES(BOTH) /* a comma is at its end */
        cmocka_unit_test(refused_calls_return),
        cmocka_unit_test(the_32_bit_entry_kills),
        cmocka_unit_test(no_other_way_leads_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
