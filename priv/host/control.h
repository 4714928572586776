/*
 * What the host daemon does with the requests of its control socket (ipc/control.h), and the leases: networks
 * that are served as long as whoever asked for them keeps the connection.
 */
#ifndef METAWARD_PRIV_HOST_CONTROL_H
#define METAWARD_PRIV_HOST_CONTROL_H

#include "ipc/host_config.h"

/**
 * Make the socket and serve it. While there is still the power to make it; after loop_begin().
 *
 * @return 0, or the step that failed, reported
 */
int control_begin(const struct host_config *config);

/**
 * The same, with the socket of the daemon that this one takes over from. Newcomers wait until
 * control_hold(false).
 *
 * @param path  where that socket is: another one is made where the configuration names another place
 * @param given the socket, which is closed then
 */
int control_take(const struct host_config *config, const char *path, int given);

/** Keep the connection by which the network at a place is held; its end is the network's. */
void control_keep(uint32_t place, int fd);

/** That connection; -1 where there is none. It stays here. */
int control_lease(uint32_t place);

#endif
