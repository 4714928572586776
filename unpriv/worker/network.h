/*
 * The networks that the worker serves, by number.
 */
#ifndef METAWARD_UNPRIV_WORKER_NETWORK_H
#define METAWARD_UNPRIV_WORKER_NETWORK_H

#include "ipc/network.h"
#include "unpriv/worker/rate.h"

struct worker_network {
    struct network given;
    char log_name[NETWORK_TAG_SIZE]; /* under which its lines are logged */
    struct rate_share rates;
};

#endif
