/*
 * The policies as text, for operators and reviewers, from the same tables that the filters are compiled from.
 * Used when metaward is built (generate.c).
 */
#ifndef METAWARD_POLICY_PRINT_H
#define METAWARD_POLICY_PRINT_H

#include "policy/policy.h"

#include <stdio.h>

/** Write all policies and the confinement's other steps, for people or as JSON; every line ends with a line
 * end. */
void policy_print(FILE *out, bool json);

#endif
