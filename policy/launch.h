/*
 * The start and end of nursery and dialer: the one kind of fork that still has power behind it (confine.h has
 * the order of steps).
 */
#ifndef METAWARD_POLICY_LAUNCH_H
#define METAWARD_POLICY_LAUNCH_H

#include "policy/confine.h"
#include "policy/facts.h"

/**
 * Clone a child into namespaces of its own, confine it and execute the worker's executable in it. A child
 * that fails says so in a MSG_FAILED on its channel, and ends.
 *
 * @param confinement its root and channel are made here; its descriptors stay the caller's. Without the
 * directory of an agent's socket the nursery is that of an agent over TCP; with a reader, that of a host's
 * proxy
 * @param name        what the process list shows of it
 * @param channel     our end of its channel (ipc/channel.h), the caller's
 * @return its process number, or -1 with errno set
 */
pid_t launch_nursery(struct confinement *confinement, const char *name, int *channel);

/** The same for the dialer, which stays in the caller's network namespace. */
pid_t launch_dialer(struct confinement *confinement, const char *name, int *channel);

/**
 * Later workers are looked at without power: find out now whether that works, by the nursery, which must be
 * confined like a worker but for the last filter.
 *
 * @param facts those of a worker
 * @return NULL, or a constant string with the first fact that is not as it must be
 */
const char *launch_confirm(pid_t nursery, const struct facts *facts);

/**
 * End the nursery, and with it every worker, or the dialer, by end of file on its channel, and wait a second
 * at most until their sockets are gone.
 *
 * @param pid 0: there is none
 */
void launch_end(int channel, pid_t pid);

#endif
