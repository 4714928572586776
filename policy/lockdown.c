/*
 * The steps themselves. See confine.h for their order and reasons.
 */
#include "policy/lockdown.h"

#include "policy/landlock.h"

#include <sys/prctl.h>

bool confine_limit(__rlimit_resource_t resource, rlim_t value)
{
    struct rlimit limit = {value, value};
    return setrlimit(resource, &limit) == 0;
}

bool confine_not_dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

bool confine_no_new_privs(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* Steps "dumpable" to "Landlock". */
static int confine_last(uint16_t port)
{
    if (!confine_not_dumpable())
        return STEP_NO_NEW_PRIVS;
    if (!confine_limit(RLIMIT_NPROC, 0))
        return STEP_LIMITS;
    return landlock_apply(port) ? 0 : STEP_LANDLOCK;
}

int confine_worker(void)
{
    return confine_last(0);
}

int confine_dialer(uint16_t port)
{
    return confine_last(port);
}
