/*
 * The guest's socket: what it says, and when it has been silent for too long.
 *
 * The descriptor stays registered for reading from the first request to the last. While a request is under
 * way, what comes is kept for later as far as there is room; only then, and after the guest's end of file,
 * the interest is dropped.
 */
#ifndef METAWARD_UNPRIV_WORKER_GUEST_H
#define METAWARD_UNPRIV_WORKER_GUEST_H

#include "unpriv/worker/connection.h"

/**
 * Watch the descriptor for what the connection's state wants; nothing happens where that is so already.
 *
 * @return false where it could not be watched, and the connection has been closed
 */
bool guest_watch(struct connection *connection);

/** A deadline of the connection has come. May close it. */
void guest_expired(struct connection *connection, enum deadline_kind kind);

/** Read a new connection's request, which is there as a rule by the time the connection is; else watch it.
 * May close. */
void guest_greet(struct connection *connection);

#endif
