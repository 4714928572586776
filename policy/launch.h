/*
 * Starting a child: the one kind of fork that still has power behind it.
 */
#ifndef METAWARD_POLICY_LAUNCH_H
#define METAWARD_POLICY_LAUNCH_H

#include "ipc/channel.h"
#include "policy/confine.h"

/**
 * Clone a child into namespaces of its own, confine it (confine.h) and execute the worker's executable in it.
 * A child that fails says so in a MSG_FAILED on its channel, and ends.
 *
 * @param confinement root and channel are filled in here
 * @param namespaces  confine_namespaces, or fewer
 * @param role        the executable's first argument: what it is to be
 * @param name        its second, for the process list
 * @param channel     to the child; begun, and the caller's to close
 * @return its process number, or -1 with errno set
 */
pid_t launch(const struct confinement *confinement, unsigned long namespaces, const char *role,
             const char *name, struct channel *channel);

#endif
