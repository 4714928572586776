/*
 * From a policy table to a loaded system call filter.
 *
 * libseccomp compiles the table; the program is exported, and libseccomp's memory given back, before it is
 * loaded. So what is loaded can be looked at, and nothing of the compiler stays in the process.
 */
#ifndef METAWARD_POLICY_FILTER_H
#define METAWARD_POLICY_FILTER_H

#include "policy/policy.h"

#include <linux/filter.h>

#define FILTER_INSTRUCTIONS_MAX 2048

struct filter {
    unsigned short length; /* instructions */
    struct sock_filter program[FILTER_INSTRUCTIONS_MAX];
};

/**
 * Compile a policy: what no line names kills the process, and so do the calls of other ABIs.
 *
 * @param values the address for POLICY_ADDRESS lines; NULL where the policy has none
 * @return false with errno set
 */
bool filter_build(const struct policy *policy, const struct policy_values *values, struct filter *out);

/**
 * Load a compiled filter into this process, for good. no_new_privs must be set.
 *
 * @return false with errno set
 */
bool filter_load(const struct filter *filter);

#endif
