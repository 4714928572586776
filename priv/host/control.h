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

#endif
