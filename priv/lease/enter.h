/*
 * From a configuration to a lease: the drop-in's way where the host daemon runs.
 */
#ifndef METAWARD_PRIV_LEASE_ENTER_H
#define METAWARD_PRIV_LEASE_ENTER_H

#include "ipc/config.h"

/**
 * Ask the host daemon, if there is one, to serve the network; where it does, go into the background, write
 * the pid file, and become the lease's holder. Then it does not return; without a daemon, or for a network
 * that the daemon can't serve, it returns with nothing done.
 *
 * @param config    whole and good; takes_over: the daemon is asked until it has let the old lease go
 * @param arguments of the command line, which the holder keeps
 * @return 0: serve the network ourselves; else the step that failed, reported
 */
int lease_enter(const struct config *config, char *const *arguments);

#endif
