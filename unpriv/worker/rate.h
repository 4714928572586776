/*
 * How many requests each guest makes, and whether that is more than it may.
 *
 * A rate is counted as the frequency counters of HAProxy do it, so that limits mean what they meant there.
 * Time is cut into periods from a guest's first request on, and requests are counted in the current one. The
 * rate is that count, plus the previous period's in proportion to the part of it that is not yet a whole
 * period ago, rounded down: close to a true sliding window for two numbers a guest. A guest that is silent
 * for a whole period starts anew. A request is counted first and compared then, so the request number `limit`
 * still passes, and those that are refused count too.
 *
 * Guests are found by a keyed hash of their network and address: the same address in two networks is two
 * guests. Each network has a share of the table's places. When the share is used up, that network's guest
 * which has been silent for longest is forgotten, and only when the whole table is full, the one which has
 * been silent for longest of all. So to be forgotten earlier than it should, a guest needs as many others as
 * a share has places in its own network, or many networks that use up theirs.
 */
#ifndef METAWARD_UNPRIV_WORKER_RATE_H
#define METAWARD_UNPRIV_WORKER_RATE_H

#include "ipc/address.h"
#include "ipc/network.h"
#include "unpriv/worker/list.h"
#include "unpriv/worker/pool.h"

#define RATE_GUESTS     10240 /* of one network: as many as Neutron asks of HAProxy's tables */
#define RATE_GUESTS_ALL 65536 /* of all, where a worker may have several networks */

struct rate_guest;

/* What a network has in the table: its limits, and its guests. All zero: no limit, no guest. */
struct rate_share {
    struct rate_limit limits[NETWORK_RATES];
    struct list by_use; /* the guest that has been silent for longest first */
    uint32_t guests;    /* that have a place now */
    uint32_t number;    /* the network's */
};

struct rate_table {
    struct pool pool;
    struct rate_guest **slots; /* hash table with chains */
    struct list by_use;        /* of all networks: the guest that has been silent for longest first */
    uint32_t mask;
    uint32_t share; /* the most guests of one network */
    uint8_t key[16];
};

/* By how much a guest is beyond a limit. */
struct rate_excess {
    struct rate_limit limit;
    uint32_t rate;          /* requests within the limit's period, this one among them */
    uint32_t retry_after_s; /* after so many seconds without a request, one passes all limits; 1 or more */
    bool tell;              /* of this guest nothing was told within the last second */
};

/**
 * Reserve memory for so many guests, and take a random key. No page is touched before the first guest of a
 * network with limits.
 *
 * @param guests of all networks
 * @param share  the most of one network
 * @return false with errno set
 */
bool rate_table_reserve(struct rate_table *table, uint32_t guests, uint32_t share);

/**
 * Give a share its limits, first or new ones. What was counted stays good for as long as the periods are the
 * same; with others everybody starts anew.
 *
 * @param number the network's, never changed while the share has guests
 */
void rate_limits(struct rate_table *table, struct rate_share *share,
                 const struct rate_limit limits[NETWORK_RATES], uint32_t number);

/** Forget all guests of a share. */
void rate_forget(struct rate_table *table, struct rate_share *share);

/**
 * Count a request, and compare with each limit.
 *
 * @param share   the network's, of this table
 * @param address the guest's; the port does not matter
 * @param now     monotonic milliseconds, never less than in an earlier call
 * @param excess  filled in where the request is beyond a limit, about the first such one
 * @return whether it is within all limits
 */
bool rate_count(struct rate_table *table, struct rate_share *share, const struct address *address,
                uint64_t now, struct rate_excess *excess);

#endif
