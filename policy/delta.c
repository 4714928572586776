/*
 * What a sanitized build does otherwise. Said at every start, so nobody takes such a build for the shipped
 * one.
 */
#include "policy/descriptors.h"
#include "policy/policy.h"

const char *policy_delta(void)
{
#ifdef METAWARD_SANITIZED
    return "sanitized build: the root is the host's, read-only, and the agent's directory the working "
           "directory; workers are forked, not executed; "
           "the calls marked as delta in --print-policy are allowed; descriptor " REPORT_FD_NAME
           " takes reports";
#else
    return NULL;
#endif
}
