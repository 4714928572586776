/*
 * The system call filters that the processes load.
 *
 * They are compiled when metaward is built: policy/generate.c runs libseccomp over the tables and writes the
 * programs, and the text that --print-policy shows, as constants. So what is loaded can be read, compared and
 * tested as it is; no process carries a compiler or a table, and a start spends no time and no memory on
 * them. The one value that is known only at run time, the address for connect(), is put into its places in a
 * copy.
 */
#ifndef METAWARD_POLICY_FILTER_H
#define METAWARD_POLICY_FILTER_H

#include "policy/policy.h"

#include <linux/filter.h>

#define FILTER_INSTRUCTIONS_MAX 1024

/* Where a program has a place for a run-time value. */
enum filter_place { PLACE_ADDRESS_HIGH, PLACE_ADDRESS_LOW, PLACE_ADDRESS_LENGTH, PLACE_FAMILY };

struct filter_patch {
    uint16_t instruction; /* its operand is replaced */
    uint16_t place;       /* enum filter_place */
};

/* A compiled policy, as generated. */
struct filter_source {
    const struct sock_filter *program;
    const struct filter_patch *patches;
    uint16_t length;
    uint16_t patch_count;
};

struct filter {
    uint16_t length; /* instructions */
    struct sock_filter program[FILTER_INSTRUCTIONS_MAX];
};

/** The compiled policies, by role. */
extern const struct filter_source filter_sources[POLICY_ROLE_COUNT];

/** What --print-policy and --print-policy=json print. */
extern const char filter_text[];
extern const char filter_json[];

/**
 * Make a filter ready to load: what no line of its policy names kills the process, and so do calls of other
 * ABIs.
 *
 * @param values the address for POLICY_ADDRESS lines; NULL where the policy has none
 */
void filter_prepare(enum policy_role role, const struct policy_values *values, struct filter *out);

/**
 * Prepare a role's filter and load it into this process, for good. no_new_privs must be set.
 *
 * @return false with errno set
 */
bool filter_load(enum policy_role role, const struct policy_values *values);

#endif
