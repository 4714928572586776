/*
 * The table of networks. See network.h for the theory.
 */
#include "unpriv/worker/network.h"

#include "unpriv/worker/memory.h"

#include <string.h>

bool network_table_reserve(struct network_table *table, uint32_t capacity)
{
    table->networks = memory_reserve(capacity * sizeof(struct worker_network));
    table->capacity = capacity;
    return table->networks != NULL;
}

struct worker_network *network_find(const struct network_table *table, uint32_t number)
{
    if (number >= table->capacity || !table->networks[number].used)
        return NULL;
    return &table->networks[number];
}

struct worker_network *network_take(struct network_table *table, uint32_t number)
{
    struct worker_network *network;

    if (number >= table->capacity)
        return NULL;
    network = &table->networks[number];
    network->used = true;
    network->number = number;
    return network;
}

void network_give(struct worker_network *network)
{
    memset(network, 0, sizeof(*network));
}
