/*
 * The queue. See queue.h for the theory.
 */
#include "unpriv/worker/queue.h"

#include "ipc/counters.h"

static void tally(const struct source *source, int more_queued, int more_in_flight)
{
    if (!source->counters)
        return;
    counters_add(&source->counters->queued, (uint64_t)more_queued);
    counters_add(&source->counters->in_flight, (uint64_t)more_in_flight);
}

static void leave_round(struct queue *queue, struct source *source)
{
    if (!source->in_round)
        return;
    list_remove(&queue->round, &source->turn);
    source->in_round = false;
}

/* At the end of the round, if it belongs there and is not in it yet. */
static void join_round(struct queue *queue, struct source *source)
{
    if (source->in_round || list_empty(&source->waiting) || source->in_flight >= queue->most_per_source)
        return;
    list_append(&queue->round, &source->turn);
    source->in_round = true;
}

void queue_push(struct queue *queue, struct waiter *waiter, struct source *source)
{
    waiter->source = source;
    list_append(&source->waiting, &waiter->node);
    tally(source, 1, 0);
    join_round(queue, source);
}

struct waiter *queue_take(struct queue *queue)
{
    struct source *source;
    struct list_node *node;

    if (queue->in_flight >= queue->most || list_empty(&queue->round))
        return NULL;
    source = list_owner(queue->round.first, struct source, turn);
    node = source->waiting.first;
    list_remove(&source->waiting, node);
    queue->in_flight++;
    source->in_flight++;
    tally(source, -1, 1);
    leave_round(queue, source);
    join_round(queue, source);
    return list_owner(node, struct waiter, node);
}

void queue_put_back(struct queue *queue, struct waiter *waiter)
{
    struct source *source = waiter->source;

    queue->in_flight--;
    source->in_flight--;
    tally(source, 1, -1);
    list_prepend(&source->waiting, &waiter->node);
    leave_round(queue, source);
    list_prepend(&queue->round, &source->turn);
    source->in_round = true;
}

void queue_withdraw(struct queue *queue, struct waiter *waiter)
{
    struct source *source = waiter->source;

    list_remove(&source->waiting, &waiter->node);
    tally(source, -1, 0);
    if (list_empty(&source->waiting))
        leave_round(queue, source);
}

void queue_done(struct queue *queue, struct source *source)
{
    queue->in_flight--;
    source->in_flight--;
    tally(source, 0, -1);
    join_round(queue, source);
}
