/*
 * Two hash tables with chains. See instances.h for the theory.
 */
#include "unpriv/worker/instances.h"

#include "unpriv/worker/address_hash.h"
#include "unpriv/worker/memory.h"

#include <string.h>
#include <sys/random.h>

static bool reserve_half(struct instance_half *half, uint32_t capacity, uint32_t slots)
{
    half->entries = memory_reserve(capacity * sizeof(struct instance_entry));
    half->slots = memory_reserve(slots * sizeof(uint32_t));
    return half->entries && half->slots;
}

bool instance_table_reserve(struct instance_table *table, uint32_t capacity)
{
    uint32_t slots = 16;

    memset(table, 0, sizeof(*table));
    if (capacity == 0)
        return true;
    while (slots < 2 * capacity)
        slots *= 2;
    table->capacity = capacity;
    table->mask = slots - 1;
    return reserve_half(&table->halves[0], capacity, slots) &&
           reserve_half(&table->halves[1], capacity, slots) &&
           getrandom(table->key, sizeof(table->key), 0) == (ssize_t)sizeof(table->key);
}

static uint32_t *slot_of(const struct instance_table *table, const struct instance_half *half,
                         const struct address *address)
{
    return &half->slots[address_hash(table->key, 0, address) & table->mask];
}

static const struct instance *find_in(const struct instance_table *table, const struct instance_half *half,
                                      const struct address *address)
{
    for (uint32_t at = *slot_of(table, half, address); at != 0; at = half->entries[at - 1].next) {
        const struct instance *instance = &half->entries[at - 1].instance;

        if (instance->family == address->family &&
            memcmp(instance->ip, address->ip, sizeof(instance->ip)) == 0)
            return instance;
    }
    return NULL;
}

static void add(const struct instance_table *table, struct instance_half *half,
                const struct instance *instance)
{
    struct address address = {.family = instance->family};
    struct instance_entry *entry = &half->entries[half->received++];
    uint32_t *slot;

    memcpy(address.ip, instance->ip, sizeof(address.ip));
    entry->instance = *instance;
    if (find_in(table, half, &address))
        return; /* it has a place, but is never found */
    slot = slot_of(table, half, &address);
    entry->next = *slot;
    *slot = half->received;
}

bool instance_table_take(struct instance_table *table, const struct instance_batch *batch)
{
    struct instance_half *half = &table->halves[1 - table->holds];

    if (batch->total > table->capacity || table->capacity == 0)
        return false;
    if (batch->first == 0) {
        if (half->total > 0)
            memset(half->slots, 0, ((size_t)table->mask + 1) * sizeof(uint32_t));
        half->total = batch->total;
        half->received = 0;
    }
    if (batch->total != half->total || batch->first != half->received)
        return false;
    for (uint32_t i = 0; i < batch->count; i++)
        add(table, half, &batch->entry[i]);
    if (half->received == half->total)
        table->holds = 1 - table->holds;
    return true;
}

const struct instance *instance_table_find(const struct instance_table *table, const struct address *address)
{
    return table->capacity > 0 ? find_in(table, &table->halves[table->holds], address) : NULL;
}
