/*
 * The table of sources. See source.h for the theory.
 */
#include "unpriv/worker/source.h"

#include "unpriv/worker/address_hash.h"
#include "unpriv/worker/memory.h"
#include "unpriv/worker/network.h"

#include <string.h>
#include <sys/random.h>

bool source_table_reserve(struct source_table *table, uint32_t max_connections)
{
    uint32_t slots = 16;

    memset(table, 0, sizeof(*table));
    while (slots < max_connections)
        slots *= 2;
    table->mask = slots - 1;
    table->capacity = max_connections;
    table->slots = memory_reserve(slots * sizeof(struct source *));
    table->by_count = memory_reserve(((size_t)max_connections + 1) * sizeof(struct list));
    return table->slots && table->by_count &&
           pool_reserve(&table->pool, sizeof(struct source), max_connections) &&
           getrandom(table->key, sizeof(table->key), 0) == (ssize_t)sizeof(table->key);
}

static struct source **slot_of(const struct source_table *table, const struct worker_network *network,
                               const struct address *address)
{
    return &table->slots[address_hash(table->key, network->number, address) & table->mask];
}

static struct source *make(struct source_table *table, struct source **slot, struct worker_network *network,
                           const struct address *address)
{
    struct source *source = pool_take(&table->pool);
    size_t length;

    if (!source)
        return NULL;
    memset(source, 0, sizeof(*source));
    source->network = network;
    source->counters = network->counters;
    list_append(&network->sources, &source->by_network);
    source->address = *address;
    length = address_format_ip(address, source->text);
    source->text[length] = '\0';
    source->next = *slot;
    *slot = source;
    return source;
}

struct source *source_join(struct source_table *table, struct worker_network *network,
                           const struct address *address)
{
    struct source **slot = slot_of(table, network, address);
    struct source *source = *slot;

    while (source && (source->network != network || !address_same_ip(&source->address, address)))
        source = source->next;
    if (source && source->count == table->capacity)
        return NULL;
    if (!source)
        source = make(table, slot, network, address);
    if (!source)
        return NULL;
    if (source->count > 0)
        list_remove(&table->by_count[source->count], &source->by_count);
    source->count++;
    list_append(&table->by_count[source->count], &source->by_count);
    if (source->count > table->most)
        table->most = source->count;
    return source;
}

static void drop(struct source_table *table, struct source *source)
{
    struct source **at = slot_of(table, source->network, &source->address);

    while (*at != source)
        at = &(*at)->next;
    *at = source->next;
    list_remove(&source->network->sources, &source->by_network);
    pool_give(&table->pool, source);
}

void source_leave(struct source_table *table, struct source *source)
{
    list_remove(&table->by_count[source->count], &source->by_count);
    if (source->count == table->most && list_empty(&table->by_count[table->most]))
        table->most--; /* this very source is the one that has as many */
    source->count--;
    if (source->count > 0)
        list_append(&table->by_count[source->count], &source->by_count);
    else
        drop(table, source);
}

static struct source *first_from(const struct source_table *table, uint32_t count)
{
    for (; count > 0; count--) {
        struct list_node *node = table->by_count[count].first;

        if (node)
            return list_owner(node, struct source, by_count);
    }
    return NULL;
}

struct source *source_biggest(const struct source_table *table)
{
    return first_from(table, table->most);
}

struct source *source_next_biggest(const struct source_table *table, const struct source *source)
{
    if (source->by_count.next)
        return list_owner(source->by_count.next, struct source, by_count);
    return first_from(table, source->count - 1);
}
