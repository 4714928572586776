/*
 * The answer on its way from the agent to the guest.
 *
 * One buffer is all: it is read into, its contents are framed for the guest in place, and it is read into
 * again when the guest has taken everything. The agent is not read in between: that is the back-pressure. The
 * head that the guest gets is written in front of what came with the agent's head, so both go out in one
 * piece. While the agent is waited for, no buffer is held but for a part of a head.
 *
 * A large answer comes in pieces, as the agent's socket takes them. An agent that has sent one is about to
 * send the next: it is asked once more before it is registered with epoll.
 *
 * An answer that has no length but ends with the connection goes chunked to a guest of HTTP/1.1, so that its
 * connection stays open and an end by error can be told from a good one; a guest of HTTP/1.0 has its
 * connection closed.
 */
#ifndef METAWARD_UNPRIV_WORKER_RELAY_H
#define METAWARD_UNPRIV_WORKER_RELAY_H

#include "unpriv/worker/connection.h"

/** The agent has the request, wholly or in part: wait for the answer. May close the guest's connection. */
void relay_begin(struct exchange *exchange);

/** Something has happened on the agent's connection: what it says, or room for the request (EV_READ,
 * EV_WRITE). */
void relay_ready(struct exchange *exchange, short what);

/** Go on after the guest has taken everything so far. May close the guest's connection. */
void relay_resume(struct exchange *exchange);

/**
 * The exchange fails: an answer of our own where nothing has been sent yet, else the guest's connection is
 * closed in the middle of the answer. May close the guest's connection.
 */
void relay_fail(struct exchange *exchange, uint16_t status, enum http_reason reason);

#endif
