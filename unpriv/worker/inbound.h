/*
 * From bytes to a complete request.
 *
 * The head is parsed as it grows, the body is collected behind it (decoded in place where it is chunked), and
 * only when all is there the request is written anew into a buffer of its own, in one piece, and queued for
 * the agent. A refusal closes the connection, for what comes next could be anything; only a whole
 * request that was one too many lets it go on.
 */
#ifndef METAWARD_UNPRIV_WORKER_INBOUND_H
#define METAWARD_UNPRIV_WORKER_INBOUND_H

#include "unpriv/worker/connection.h"

/** Make sure that there is an input buffer. */
void inbound_begin(struct connection *connection);

/** Give the input buffer back, if there is one. */
void inbound_end(struct connection *connection);

/** How many more bytes the input buffer can take. */
size_t inbound_room(const struct connection *connection);

/**
 * Look at the bytes of a request that is being read: it is refused, or complete and queued, or needs more.
 * May close.
 */
void inbound_process(struct connection *connection);

/** The guest has ended while a request was being read, or before one. Closes, or refuses what is cut off. */
void inbound_cut(struct connection *connection);

/** Does a request being read consist of anything yet? Empty lines before a request line are nothing. */
bool inbound_started(const struct connection *connection);

/** Refuse the request that is being read, log it, and close after lingering. May close at once. */
void inbound_refuse(struct connection *connection, uint16_t status, enum http_reason reason);

#endif
