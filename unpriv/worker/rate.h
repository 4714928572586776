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
 * Guests are found by a keyed hash. When the table is full, the guest that has been silent for longest is
 * forgotten: to be forgotten earlier than it should, a guest needs as many others as the table has places.
 */
#ifndef METAWARD_UNPRIV_WORKER_RATE_H
#define METAWARD_UNPRIV_WORKER_RATE_H

#include "ipc/address.h"
#include "ipc/settings.h"
#include "unpriv/worker/list.h"
#include "unpriv/worker/pool.h"

#define RATE_GUESTS 10240 /* as many as Neutron asks of HAProxy's tables */

struct rate_guest;

struct rate_table {
    struct rate_limit limits[SETTINGS_RATES];
    uint64_t period[SETTINGS_RATES]; /* milliseconds; 0: no limit */
    struct pool pool;
    struct rate_guest **slots; /* hash table with chains */
    struct list by_use;        /* the guest that has been silent for longest first */
    uint32_t mask;
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
 * Reserve memory for so many guests, and take a random key; neither where there is no limit.
 *
 * @return false with errno set
 */
bool rate_table_reserve(struct rate_table *table, const struct rate_limit limits[SETTINGS_RATES],
                        uint32_t guests);

/**
 * Count a request, and compare with each limit.
 *
 * @param address the guest's; the port does not matter
 * @param now     monotonic milliseconds, never less than in an earlier call
 * @param excess  filled in where the request is beyond a limit, about the first such one
 * @return whether it is within all limits
 */
bool rate_count(struct rate_table *table, const struct address *address, uint64_t now,
                struct rate_excess *excess);

#endif
