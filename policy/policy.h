/*
 * What each process may ask of the kernel, as data.
 *
 * A policy is a table: one line a system call with the arguments it is pinned to, what happens, and why the
 * process needs it. The filter, --print-policy and the tests are all made from the table, so none of them can
 * say something else than another. What no line names kills the process; so does a call through another ABI.
 *
 * A system call stands in a table bare or with pinned arguments, never both: libseccomp lets the bare line
 * swallow the pinned one without a word. policy_check() refuses such a table, and a unit test calls it for
 * each.
 */
#ifndef METAWARD_POLICY_POLICY_H
#define METAWARD_POLICY_POLICY_H

#include "policy/roles.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_PINS_MAX 6

enum policy_role {
#define ROLE(id, name) POLICY_##id,
    METAWARD_ROLES(ROLE)
#undef ROLE
        POLICY_ROLE_COUNT
};

enum policy_action {
    POLICY_ALLOW = 0,
    POLICY_REFUSE /* the call returns an error and nothing happens */
};

/* Where a pinned value comes from: the table, or something known only once the process runs. */
enum policy_source { POLICY_CONSTANT = 0, POLICY_ADDRESS, POLICY_ADDRESS_LENGTH, POLICY_FAMILY };

struct policy_pin {
    uint8_t argument; /* 0 to 5 */
    uint8_t source;   /* enum policy_source */
    uint64_t mask;  /* 0xffffffff for arguments that the kernel takes as 32 bits: it ignores the upper half */
    uint64_t value; /* for POLICY_CONSTANT */
    const char *text; /* the value as a reader knows it: "AF_UNIX" */
};

struct policy_line {
    int number;       /* the system call */
    const char *name; /* its name */
    uint8_t action;   /* enum policy_action */
    uint8_t pin_count;
    bool delta; /* only there because the build is sanitized */
    int error;  /* errno for POLICY_REFUSE */
    struct policy_pin pins[POLICY_PINS_MAX];
    const char *why;
    const char *unused; /* NULL where the tests exercise the line; else why they can't on every machine */
};

struct policy {
    const char *name; /* "worker" */
    const struct policy_line *lines;
    size_t count;
    const struct policy_line *way; /* how the agent is reached; what differs between roles of one kind */
    size_t way_count;
    const struct policy_line *more; /* the sanitizers' delta; empty in a normal build */
    size_t more_count;
};

/* Values for POLICY_ADDRESS, POLICY_ADDRESS_LENGTH and POLICY_FAMILY: the one address that connect() may be
 * given, and the one kind of socket for it. */
struct policy_values {
    const void *address;
    uint32_t address_length;
    uint32_t family;
};

/** The policy of a role; never NULL for a valid role. */
const struct policy *policy_of(enum policy_role role);

/** How many lines the policy has, delta included. */
size_t policy_length(const struct policy *policy);

/** Line number `i` of the policy, delta included; `i` below policy_length(). */
const struct policy_line *policy_at(const struct policy *policy, size_t i);

/** How many different system calls the policy allows. */
size_t policy_allowed(const struct policy *policy);

/** What a sanitized build does otherwise, in one sentence, to be shown at every start; NULL in a normal
 * build. */
const char *policy_delta(void);

/** Is there a call that stands in the policy both bare and pinned, or allowed and refused? The first such
 * line, or NULL. */
const struct policy_line *policy_check(const struct policy *policy);

#endif
