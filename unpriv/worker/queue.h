/*
 * Requests that wait for the agent, and how many are there: first in, first out for each guest, in turn
 * between them.
 *
 * At most `most` requests are at the agent at one time, at most `most_per_source` of one guest. Waiting
 * requests are kept in one list for each source. The sources that have one waiting and are below their cap
 * stand in a round; the first one in the round has its oldest request taken and goes to the end. A guest that
 * asks a hundred times at once thus waits for itself, not the others for it.
 */
#ifndef METAWARD_UNPRIV_WORKER_QUEUE_H
#define METAWARD_UNPRIV_WORKER_QUEUE_H

#include "unpriv/worker/source.h"

struct waiter {
    struct list_node node;
    struct source *source;
};

struct queue {
    struct list round; /* sources, by their `turn` */
    uint32_t in_flight;
    uint32_t most;
    uint32_t most_per_source;
};

/** Put a request at the end of its source's list. */
void queue_push(struct queue *queue, struct waiter *waiter, struct source *source);

/** Take the next request; it counts as in flight from now on. @return NULL where none waits or a cap is
 * reached */
struct waiter *queue_take(struct queue *queue);

/** The request just taken could not be sent: it is the first again, of its source and in the round. */
void queue_put_back(struct queue *queue, struct waiter *waiter);

/** A waiting request is withdrawn. */
void queue_withdraw(struct queue *queue, struct waiter *waiter);

/** A request in flight is done with; its source must still exist. */
void queue_done(struct queue *queue, struct source *source);

#endif
