/*
 * The parent's table of instances: the one that holds, and the next one while it comes in.
 *
 * A worker that dies takes its table with it, so the parent keeps one to hand to the next worker. A new table
 * is filled beside it, from batches whose order is checked, and takes its place as a whole or not at all. The
 * memory is static and untouched where no instance ever comes.
 */
#ifndef METAWARD_IPC_INSTANCES_H
#define METAWARD_IPC_INSTANCES_H

#include "ipc/channel.h"
#include "ipc/instance.h"

/** Begin a new table of `total` records, at most INSTANCES_MOST; what came of an earlier one is forgotten. */
void instances_begin(uint32_t total);

/**
 * Take the next batch of the new table.
 *
 * @return false where it is not valid or not the next one; nothing is taken of it then
 */
bool instances_take(const struct instance_batch *batch);

/** Has all of the new table come? */
bool instances_whole(void);

/** Put the new table in the old one's place. Only where it is whole. */
void instances_commit(void);

/** How many records the table that holds has. */
uint32_t instances_count(void);

/**
 * Send the table that holds to a worker. Waits where it does not take it.
 *
 * @param channel to it
 * @param most_ms for all of it together
 * @return false with errno set; ETIMEDOUT where it took too long
 */
bool instances_send(struct channel *channel, unsigned most_ms);

/** Write number `first` and those behind it, as many as fit, as a batch. */
void instances_batch(uint32_t first, struct instance_batch *out);

#endif
