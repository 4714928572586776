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
    struct list_node by_use;
    uint64_t last;        /* request; monotonic milliseconds */
    uint64_t quiet_until; /* nothing is told before */
    struct window windows[SETTINGS_RATES];
    struct address address;
};

bool rate_table_reserve(struct rate_table *table, const struct rate_limit limits[SETTINGS_RATES],
                        uint32_t guests)
{
    uint32_t slots = 16;

    memset(table, 0, sizeof(*table));
    if (limits[0].limit == 0)
        return true;
    memcpy(table->limits, limits, sizeof(table->limits));
    for (unsigned i = 0; i < SETTINGS_RATES; i++)
        table->period[i] = (uint64_t)limits[i].period_s * 1000;
    while (slots < guests)
        slots *= 2;
    table->mask = slots - 1;
    table->slots = memory_reserve(slots * sizeof(struct rate_guest *));
    return table->slots && pool_reserve(&table->pool, sizeof(struct rate_guest), guests) &&
           getrandom(table->key, sizeof(table->key), 0) == (ssize_t)sizeof(table->key);
}

static struct rate_guest **slot_of(const struct rate_table *table, const struct address *address)
{
    return &table->slots[address_hash(table->key, address) & table->mask];
}

/* A place in the table, if need be that of the guest which has been silent for longest. */
static struct rate_guest *take_place(struct rate_table *table)
{
    struct rate_guest *guest = pool_take(&table->pool);
    struct rate_guest **at;

    if (guest)
        return guest;
    guest = list_owner(table->by_use.first, struct rate_guest, by_use);
    at = slot_of(table, &guest->address);
    while (*at != guest)
        at = &(*at)->next;
    *at = guest->next;
    list_remove(&table->by_use, &guest->by_use);
    return guest;
}

static struct rate_guest *find(struct rate_table *table, const struct address *address, uint64_t now)
{
    struct rate_guest **slot = slot_of(table, address);
    struct rate_guest *guest = *slot;

    while (guest && !address_same_ip(&guest->address, address))
        guest = guest->next;
    if (guest) {
        list_remove(&table->by_use, &guest->by_use);
    } else {
        guest = take_place(table);
        memset(guest, 0, sizeof(*guest));
        guest->address = *address;
        guest->last = now;
        for (unsigned i = 0; i < SETTINGS_RATES; i++)
            guest->windows[i].start = now;
        guest->next = *slot;
        *slot = guest;
    }
    list_append(&table->by_use, &guest->by_use);
    return guest;
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

bool rate_count(struct rate_table *table, const struct address *address, uint64_t now,
                struct rate_excess *excess)
{
    struct rate_guest *guest;
    uint64_t wait = 0;

    if (table->period[0] == 0)
        return true;
    guest = find(table, address, now);
    for (unsigned i = 0; i < SETTINGS_RATES && table->period[i] != 0; i++) {
        struct window *window = &guest->windows[i];
        uint64_t needed;
        uint32_t rate;

        count(window, table->period[i], guest->last, now);
        rate = rate_of(window, table->period[i], now);
        if (rate <= table->limits[i].limit)
            continue;
        if (wait == 0) {
            excess->limit = table->limits[i];
            excess->rate = rate;
        }
        needed = wait_ms(window, table->limits[i].limit, table->period[i], now);
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
