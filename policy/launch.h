/*
 * Starting a child: the one kind of fork that still has power behind it.
 */
#ifndef METAWARD_POLICY_LAUNCH_H
#define METAWARD_POLICY_LAUNCH_H

#include "ipc/channel.h"
#include "policy/confine.h"

/* What to start. */
struct launch {
    unsigned long namespaces; /* confine_namespaces, or fewer */
    const char *role;         /* the executable's first argument: what it is to be */
    const char *name;         /* its second, for the process list */
    int step;                 /* that has failed where there is no child */
};

/**
 * Clone a child into namespaces of its own, confine it (confine.h) and execute the worker's executable in it.
 * A child that fails says so in a MSG_FAILED on its channel, and ends.
 *
 * @param confinement root and channel are filled in here
 * @param channel     to the child; begun, and the caller's to close
 * @param pid         its process number; written only on success
 * @return 0, or STEP_CHANNEL or the launch's own step, reported
 */
int launch(const struct confinement *confinement, const struct launch *what, struct channel *channel,
           pid_t *pid);

#endif
