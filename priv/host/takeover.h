/*
 * The upgrade, on the side of the successor: take over everything from the daemon that serves
 * (ipc/handover.h), and tell it when it may stop.
 *
 * All that comes is checked; listeners are asked of the kernel, too. Whatever goes wrong ends this process,
 * and the other one goes on.
 */
#ifndef METAWARD_PRIV_HOST_TAKEOVER_H
#define METAWARD_PRIV_HOST_TAKEOVER_H

#include "ipc/host_config.h"

/**
 * Standard input is our end of the handover: put it where no child finds it, and /dev/null in its place.
 *
 * @return 0, or STEP_TAKE_OVER, reported
 */
int takeover_claim(void);

/** Was it claimed, and the other daemon is not known to have stopped? */
bool takeover_runs(void);

/** Take the control socket and all networks. Waits. @return 0, or the step that failed, reported */
int takeover_receive(const struct host_config *config);

/**
 * Tell the other daemon that we serve. It goes on in the loop: host_taken_over() is called when the service
 * is ours, or host_end() where the other one went on.
 */
void takeover_serving(void);

#endif
