/*
 * From a policy table to a filter program, by libseccomp. Used when metaward is built (generate.c).
 */
#ifndef METAWARD_POLICY_COMPILE_H
#define METAWARD_POLICY_COMPILE_H

#include "policy/filter.h"

/* Stand for the address, its length and its family in a compiled program, until filter_prepare() puts the
 * real ones there. */
#define COMPILE_ADDRESS        0x6d65746177617264ULL
#define COMPILE_ADDRESS_LENGTH 0x6c656e67U
#define COMPILE_FAMILY         0x66616d69U

/**
 * Compile a policy.
 *
 * @return false with errno set; E2BIG where the program is longer than FILTER_INSTRUCTIONS_MAX
 */
bool compile_policy(const struct policy *policy, struct filter *out);

/**
 * Find the places for run-time values in a compiled program.
 *
 * @param patches room for `most`
 * @return how many there are
 */
unsigned compile_patches(const struct filter *filter, struct filter_patch *patches, unsigned most);

#endif
