/*
 * The guests that have connections now, by network and address: what each of them holds, so that none can
 * hold too much. The same address in two networks is two sources.
 *
 * A source exists as long as it has a connection, so the table can't be filled without filling that of
 * connections, which has its own rules. Sources are found by a keyed hash, and they are also kept in order of
 * how many connections they have: one list for each number, moved up and down by one at a time. So the source
 * that must give way when all is full is found at once, however many connections there are.
 */
#ifndef METAWARD_UNPRIV_WORKER_SOURCE_H
#define METAWARD_UNPRIV_WORKER_SOURCE_H

#include "ipc/address.h"
#include "unpriv/worker/list.h"
#include "unpriv/worker/pool.h"

/* What a source's connections are doing. A connection is in exactly one of these lists, the longest there
 * first. The order is that in which they give way to others; the last ones never do. */
enum source_list {
    SOURCE_PARKED,    /* beyond the cap: accepted, but not read */
    SOURCE_LINGERING, /* refused, about to be closed */
    SOURCE_IDLE,      /* between two requests */
    SOURCE_READING,   /* the request is not complete */
    SOURCE_BUSY,      /* a complete request is waiting, at the agent, or being answered */
    SOURCE_LISTS
};

struct worker_network;
struct counters;

struct source {
    struct source *next; /* in the same hash slot */
    struct worker_network *network;
    struct counters *counters; /* of the network; NULL: nothing is counted */
    struct list_node by_network;
    struct list_node by_count;
    struct list_node turn; /* in the queue's round, where `in_round` */
    struct list waiting;   /* requests, see queue.h */
    struct list connections[SOURCE_LISTS];
    uint32_t count;     /* connections in all */
    uint32_t served;    /* connections that are not parked */
    uint32_t in_flight; /* requests at the agent */
    bool in_round;
    struct address address;
    char text[46]; /* the address as X-Forwarded-For and the log show it */
};

struct source_table {
    struct pool pool;
    struct source **slots; /* hash table with chains */
    struct list *by_count; /* [n]: sources with n connections */
    uint32_t mask;
    uint32_t capacity;
    uint32_t most; /* no source has more connections than this, and one has as many */
    uint8_t key[16];
};

/**
 * Reserve memory for as many sources as there can be connections, and take a random key.
 *
 * @return false with errno set
 */
bool source_table_reserve(struct source_table *table, uint32_t max_connections);

/**
 * Count one more connection of a network's address, whose source is made if need be. The port does not
 * matter.
 *
 * @return NULL where the table is full, which can't be while there are fewer connections than it was made for
 */
struct source *source_join(struct source_table *table, struct worker_network *network,
                           const struct address *address);

/** Count one connection less. The last one takes the source away with it: `source` must not be used
 * afterwards. */
void source_leave(struct source_table *table, struct source *source);

/** The source with the most connections; NULL where there is none. */
struct source *source_biggest(const struct source_table *table);

/** The next one in falling order; NULL at the end. */
struct source *source_next_biggest(const struct source_table *table, const struct source *source);

#endif
