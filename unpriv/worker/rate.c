/*
 * Request rates. See rate.h for the theory.
 */
#include "unpriv/worker/rate.h"

#include "unpriv/worker/address_hash.h"
#include "unpriv/worker/memory.h"

#include <string.h>
#include <sys/random.h>

#define TELL_EVERY_MS 1000

/* The requests of a guest in two periods, one behind the other. */
struct window {
    uint64_t start; /* of the current period; monotonic milliseconds */
    uint32_t current;
    uint32_t previous;
};

struct rate_guest {
    struct rate_guest *next; /* in the same hash slot */
    struct rate_share *share;
    struct list_node by_use; /* in its share's list */
    struct list_node by_use_of_all;
    uint64_t last;        /* request; monotonic milliseconds */
    uint64_t quiet_until; /* nothing is told before */
    struct window windows[NETWORK_RATES];
    uint32_t hash; /* of network and address */
    uint8_t family;
    uint8_t ip[sizeof(((struct address *)NULL)->ip)];
};

_Static_assert(sizeof(struct rate_guest) <= 128, "a guest takes two cache lines");

bool rate_table_reserve(struct rate_table *table, uint32_t guests, uint32_t share)
{
    uint32_t slots = 16;

    memset(table, 0, sizeof(*table));
    while (slots < guests)
        slots *= 2;
    table->mask = slots - 1;
    table->share = share;
    table->slots = memory_reserve(slots * sizeof(struct rate_guest *));
    return table->slots && pool_reserve(&table->pool, sizeof(struct rate_guest), guests) &&
           getrandom(table->key, sizeof(table->key), 0) == (ssize_t)sizeof(table->key);
}

static struct rate_guest **slot_of(const struct rate_table *table, uint32_t hash)
{
    return &table->slots[hash & table->mask];
}

static bool is(const struct rate_guest *guest, const struct rate_share *share, const struct address *address)
{
    return guest->share == share && guest->family == address->family &&
           memcmp(guest->ip, address->ip, sizeof(guest->ip)) == 0;
}

/* Take a guest out of its hash chain and both lists. */
static void unlink_guest(struct rate_table *table, struct rate_guest *guest)
{
    struct rate_guest **at = slot_of(table, guest->hash);

    while (*at != guest)
        at = &(*at)->next;
    *at = guest->next;
    list_remove(&table->by_use, &guest->by_use_of_all);
    list_remove(&guest->share->by_use, &guest->by_use);
    guest->share->guests--;
}

static struct rate_guest *oldest_of(const struct rate_share *share)
{
    return list_owner(share->by_use.first, struct rate_guest, by_use);
}

/* A place in the table, if need be that of the guest which has been silent for longest. */
static struct rate_guest *take_place(struct rate_table *table, const struct rate_share *share)
{
    struct rate_guest *guest = share->guests < table->share ? pool_take(&table->pool) : NULL;

    if (guest)
        return guest;
    if (share->guests == table->share)
        guest = oldest_of(share);
    else
        guest = list_owner(table->by_use.first, struct rate_guest, by_use_of_all);
    unlink_guest(table, guest);
    return guest;
}

static struct rate_guest *find(struct rate_table *table, struct rate_share *share,
                               const struct address *address, uint64_t now)
{
    const uint32_t hash = (uint32_t)address_hash(table->key, share->number, address);
    struct rate_guest **slot = slot_of(table, hash);
    struct rate_guest *guest = *slot;

    while (guest && !is(guest, share, address))
        guest = guest->next;
    if (guest) {
        list_remove(&share->by_use, &guest->by_use);
        list_remove(&table->by_use, &guest->by_use_of_all);
    } else {
        guest = take_place(table, share);
        memset(guest, 0, sizeof(*guest));
        guest->share = share;
        guest->hash = hash;
        guest->family = address->family;
        memcpy(guest->ip, address->ip, sizeof(guest->ip));
        guest->last = now;
        for (unsigned i = 0; i < NETWORK_RATES; i++)
            guest->windows[i].start = now;
        guest->next = *slot;
        *slot = guest;
        share->guests++;
    }
    list_append(&share->by_use, &guest->by_use);
    list_append(&table->by_use, &guest->by_use_of_all);
    return guest;
}

void rate_forget(struct rate_table *table, struct rate_share *share)
{
    while (share->guests > 0) {
        struct rate_guest *guest = oldest_of(share);

        unlink_guest(table, guest);
        pool_give(&table->pool, guest);
    }
}

void rate_limits(struct rate_table *table, struct rate_share *share,
                 const struct rate_limit limits[NETWORK_RATES], uint32_t number)
{
    for (unsigned i = 0; i < NETWORK_RATES; i++) {
        if (share->limits[i].period_s != limits[i].period_s)
            rate_forget(table, share);
    }
    memcpy(share->limits, limits, sizeof(share->limits));
    share->number = number;
}

/* Count one request; the period goes on to the one that `now` is in. After a silence of less than a period
 * that is the same or the next one. */
static void count(struct window *window, uint64_t period, uint64_t last, uint64_t now)
{
    if (now - last >= period) {
        *window = (struct window){.start = now};
    } else if (now - window->start >= period) {
        window->start += period;
        window->previous = window->current;
        window->current = 0;
    }
    if (window->current < UINT32_MAX)
        window->current++;
}

static uint32_t rate_of(const struct window *window, uint64_t period, uint64_t now)
{
    uint64_t left = window->start + period - now;
    uint64_t rate = window->current + window->previous * left / period;

    return rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX;
}

/*
 * For how long a guest beyond the limit must be silent until a request passes: `older` requests are then in
 * the previous period, and they must weigh less than the `room` that the limit leaves beside those of the
 * current one.
 */
static uint64_t wait_ms(const struct window *window, uint32_t limit, uint64_t period, uint64_t now)
{
    uint64_t wait = window->start + period - now;
    uint64_t older = window->previous, room = 0;

    if (window->current < limit) {
        room = limit - window->current;
    } else {
        wait += period;
        older = window->current;
        room = limit;
    }
    wait -= (room * period - 1) / older; /* as early as that before the period's end */
    return wait < period ? wait : period;
}

bool rate_count(struct rate_table *table, struct rate_share *share, const struct address *address,
                uint64_t now, struct rate_excess *excess)
{
    struct rate_guest *guest;
    uint64_t wait = 0;

    if (share->limits[0].limit == 0)
        return true;
    guest = find(table, share, address, now);
    for (unsigned i = 0; i < NETWORK_RATES && share->limits[i].limit != 0; i++) {
        const uint32_t limit = share->limits[i].limit;
        const uint64_t period = (uint64_t)share->limits[i].period_s * 1000;
        struct window *window = &guest->windows[i];
        uint64_t needed;
        uint32_t rate;

        count(window, period, guest->last, now);
        rate = rate_of(window, period, now);
        if (rate <= limit)
            continue;
        if (wait == 0) {
            excess->limit = share->limits[i];
            excess->rate = rate;
        }
        needed = wait_ms(window, limit, period, now);
        wait = needed > wait ? needed : wait;
    }
    guest->last = now;
    if (wait == 0)
        return true;
    excess->retry_after_s = (uint32_t)((wait + 999) / 1000);
    excess->tell = now >= guest->quiet_until;
    if (excess->tell)
        guest->quiet_until = now + TELL_EVERY_MS;
    return false;
}
