/*
 * Two tables and the number of the one that holds. See instances.h.
 */
#include "ipc/instances.h"

#include "ipc/clock.h"

#include <errno.h>
#include <poll.h>
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

static bool await_room(int fd, int64_t left)
{
    struct pollfd polled = {.fd = fd, .events = POLLOUT};
    const struct timespec pause = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
    const int ready = left > 0 ? ppoll(&polled, 1, &pause, NULL) : 0;

    if (ready == 0)
        errno = ETIMEDOUT;
    return ready > 0 || (ready < 0 && errno == EINTR);
}

bool instances_send(struct channel *channel, unsigned most_ms)
{
    const int64_t until = clock_now() + most_ms;
    enum channel_result result = CHANNEL_OK;
    struct message message;
    uint32_t first = 0;

    message_begin(&message, MSG_INSTANCES);
    do {
        if (result == CHANNEL_OK)
            instances_batch(first, &message.body.instances);
        else if (!await_room(channel->fd, until - clock_now()))
            return false;
        result = channel_send(channel, &message, NULL);
        if (result == CHANNEL_OK)
            first += message.body.instances.count;
    } while (result == CHANNEL_AGAIN || (result == CHANNEL_OK && first < instances_count()));
    return result == CHANNEL_OK;
}
