/*
 * Requests on their way to the agent.
 *
 * Requests wait in the queue until the caps allow for them and the agent takes them. A UNIX socket whose
 * backlog is full says EAGAIN and can't be waited for, so then everything waits: until a request at the agent
 * is done with, or for a timer that starts at two milliseconds and grows.
 */
#ifndef METAWARD_UNPRIV_WORKER_UPSTREAM_H
#define METAWARD_UNPRIV_WORKER_UPSTREAM_H

#include "unpriv/worker/connection.h"

/** Make the timer. After the event base. */
void upstream_begin(void);

/** Put the connection's exchange into the queue; service_settle() sends it. */
void upstream_queue(struct connection *connection);

/** Send waiting requests as long as the agent takes them. May close any connection. */
void upstream_dispatch(void);

/** The exchange leaves the queue or the agent: what it held there is free again. Nothing happens the second
 * time. */
void upstream_leave(struct exchange *exchange);

#endif
