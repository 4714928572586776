/*
 * The guests that are known one by one, found by their address: what is stamped on a request of each.
 *
 * A table comes from the parent in batches and is filled beside the one that holds; when the last batch is
 * there, the two change places. So a request sees one table or the other, never half of one. Both are
 * reserved at the start for as many as the settings allow, and touched only as far as they are used.
 */
#ifndef METAWARD_UNPRIV_WORKER_INSTANCES_H
#define METAWARD_UNPRIV_WORKER_INSTANCES_H

#include "ipc/instance.h"

struct instance_entry {
    struct instance instance;
    uint32_t next; /* 1 + number of the next entry in the same hash slot; 0: none */
};

struct instance_half {
    struct instance_entry *entries;
    uint32_t *slots; /* 1 + number of an entry; 0: none */
    uint32_t total;
    uint32_t received;
};

struct instance_table {
    struct instance_half halves[2];
    unsigned holds; /* which of them */
    uint32_t capacity;
    uint32_t mask;
    uint8_t key[16];
};

/**
 * Reserve memory for two tables of `capacity` records, and take a random key; neither where that is 0.
 *
 * @return false with errno set
 */
bool instance_table_reserve(struct instance_table *table, uint32_t capacity);

/**
 * Take a batch. One that starts at 0 begins a new table, whatever came before it; the last one puts it in
 * place. Of two records with the same address the first one holds.
 *
 * @param batch valid by instance_batch_valid()
 * @return false where it is not the next one, or the table would be too large
 */
bool instance_table_take(struct instance_table *table, const struct instance_batch *batch);

/**
 * The record of a guest.
 *
 * @param address IPv4-mapped addresses must be IPv4 already; the port does not matter
 * @return NULL where there is none; good until the next batch is taken
 */
const struct instance *instance_table_find(const struct instance_table *table, const struct address *address);

#endif
