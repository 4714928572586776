/*
 * Starting the nursery: the one fork that still has power behind it.
 */
#ifndef METAWARD_PRIV_LAUNCH_H
#define METAWARD_PRIV_LAUNCH_H

#include "priv/prepare.h"

#include <sys/types.h>

/**
 * Clone a child into namespaces of its own, confine it (policy/confine.h) and execute the worker's executable
 * in it. A child that fails says so in a MSG_FAILED on its channel, and ends.
 *
 * @param end the child's end of its channel; stays the caller's
 * @return its process number, or -1 with errno set
 */
pid_t launch_nursery(const struct config *config, const struct prepared *prepared, int end);

#endif
