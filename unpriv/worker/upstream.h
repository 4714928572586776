/*
 * Requests on their way to the agent.
 *
 * Requests wait in the queue until the caps allow for them and the agent takes them. A UNIX socket whose
 * backlog is full says EAGAIN and can't be waited for, so then everything waits: until a request at the agent
 * is done with, or for a timer that starts at two milliseconds and grows.
 *
 * Over TCP the dialer is asked for a connection in the name of each request that the caps allow for
 * (dialing.h), and until that stands the request's time for being accepted goes on.
 *
 * With upstream_reuse a request first looks for a connection that its network has left open (link.h).
 */
#ifndef METAWARD_UNPRIV_WORKER_UPSTREAM_H
#define METAWARD_UNPRIV_WORKER_UPSTREAM_H

#include "unpriv/worker/connection.h"

/** Make the timer. After the event base. */
void upstream_begin(void);

/** Put the connection's exchange into the queue; service_settle() sends it. */
void upstream_queue(struct connection *connection);

/**
 * The dialer has answered: send the request over the connection, or fail, or wait where we are short of
 * something. May close the guest's connection.
 *
 * @param fd    connect() has begun; -1 where there is none
 * @param error errno then
 */
void upstream_dialed(struct exchange *exchange, int fd, int error);

/**
 * The exchange's connection may stand now: find out, and send the request.
 *
 * @return false where it has failed, and the exchange with it
 */
bool upstream_connected(struct exchange *exchange);

/** Send waiting requests as long as the agent takes them. May close any connection. */
void upstream_dispatch(void);

/**
 * The connection ended before a byte of the answer. If it had been kept open from an earlier request, the
 * agent may just have had enough of it: the request is the next again, for a new connection (RFC 9112
 * section 9.3.1).
 *
 * @return false where it must fail
 */
bool upstream_again(struct exchange *exchange);

/** The exchange leaves the queue or the agent: what it held there is free again. Nothing happens the second
 * time. */
void upstream_leave(struct exchange *exchange);

#endif
