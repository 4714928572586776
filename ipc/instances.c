/*
 * Two tables and the number of the one that holds. See instances.h.
 */
#include "ipc/instances.h"

#include <string.h>

static struct {
    uint32_t total;    /* records that it should have */
    uint32_t received; /* and has */
    struct instance record[INSTANCES_MOST];
} tables[2];
static unsigned holds;

void instances_begin(uint32_t total)
{
    tables[1 - holds].total = total;
    tables[1 - holds].received = 0;
}

bool instances_take(const struct instance_batch *batch)
{
    const unsigned next = 1 - holds;

    if (!instance_batch_valid(batch) || batch->total != tables[next].total ||
        batch->first != tables[next].received)
        return false;
    memcpy(&tables[next].record[batch->first], batch->entry, batch->count * sizeof(batch->entry[0]));
    tables[next].received += batch->count;
    return true;
}

bool instances_whole(void)
{
    return tables[1 - holds].received == tables[1 - holds].total;
}

void instances_commit(void)
{
    holds = 1 - holds;
}

uint32_t instances_count(void)
{
    return tables[holds].total;
}

void instances_batch(uint32_t first, struct instance_batch *out)
{
    const uint32_t left = tables[holds].total - first;

    memset(out, 0, sizeof(*out));
    out->total = tables[holds].total;
    out->first = first;
    out->count = left < INSTANCE_BATCH ? left : INSTANCE_BATCH;
    memcpy(out->entry, &tables[holds].record[first], out->count * sizeof(out->entry[0]));
}
