/*
 * The networks that the worker serves, by number.
 *
 * A network is what its message says and what hangs on it: its listeners, the sources that have connections
 * now, its guests in the table of rates. So removing it costs as much as it has, and no other network is
 * looked at. The table is reserved for as many as the settings allow; what was never used is never touched.
 */
#ifndef METAWARD_UNPRIV_WORKER_NETWORK_H
#define METAWARD_UNPRIV_WORKER_NETWORK_H

#include "ipc/counters.h"
#include "ipc/network.h"
#include "unpriv/worker/list.h"
#include "unpriv/worker/rate.h"

struct worker_network {
    bool used;
    uint32_t number;
    struct network given;
    char log_name[NETWORK_TAG_SIZE]; /* under which its lines are logged */
    struct list listeners;           /* by their `by_network` */
    struct list sources;             /* by their `by_network` */
    struct rate_share rates;
    struct list links;         /* idle connections to the agent, see link.h */
    struct counters *counters; /* NULL: nothing is counted */
};

struct network_table {
    struct worker_network *networks;
    uint32_t capacity;
};

/** Reserve memory for the networks 0 to `capacity` - 1. @return false with errno set */
bool network_table_reserve(struct network_table *table, uint32_t capacity);

/** The network with this number; NULL where there is none. */
struct worker_network *network_find(const struct network_table *table, uint32_t number);

/**
 * The network with this number, made with nothing in it if need be.
 *
 * @return NULL where the number is beyond the table
 */
struct worker_network *network_take(struct network_table *table, uint32_t number);

/** The number is free again; nothing may hang on the network any more. */
void network_give(struct worker_network *network);

#endif
