/*
 * The nursery: where workers come from after the parent has given up all power.
 *
 * It is the first process of its namespaces, already without power when its first instruction runs, and
 * serves the parent's channel: start a worker, end one and tell how it ended. It does not watch them: a
 * worker that ends closes its channel to the parent, who then asks. Each worker is executed anew, so it
 * shares no address space layout with an earlier one that a guest may have probed. When the nursery ends, the
 * kernel ends every worker with it; when the parent ends, the kernel ends the nursery.
 */
#ifndef METAWARD_UNPRIV_NURSERY_H
#define METAWARD_UNPRIV_NURSERY_H

#include "policy/policy.h"

/**
 * Run the nursery on CHANNEL_FD until the parent closes it.
 *
 * @param name what /proc/PID/cmdline shows of its workers: the network's or router's id
 * @param role its filter: one of POLICY_NURSERY...
 * @return an exit status: 0, or the step that failed
 */
int nursery_run(const char *name, enum policy_role role);

#endif
