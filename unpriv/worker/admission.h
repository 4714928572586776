/*
 * Who may have a connection, and who gives way.
 *
 * A source may have so many connections served; those beyond are parked: accepted, so that they don't fill
 * the listener's backlog for others, but not read until one of the same source ends. One that is idle between
 * two requests gives way to a parked one. Where the table of all connections is full, the source with the
 * most of them loses one: a parked one, else one that lingers, else one that is idle, else the one whose
 * request has been incomplete for longest.
 */
#ifndef METAWARD_UNPRIV_WORKER_ADMISSION_H
#define METAWARD_UNPRIV_WORKER_ADMISSION_H

#include "unpriv/worker/connection.h"

/**
 * Take a new connection in, parked or not; where the table is full, another one gives way or this one is
 * closed.
 *
 * @param fd owned from now on
 */
void admission_open(int fd, struct worker_network *network, const struct address *address);

/** Close a connection whatever it is doing, and let a parked one of the same source take its place. */
void admission_close(struct connection *connection);

/** Give the connection a new state, and put it into its source's list that belongs to it. */
void admission_state(struct connection *connection, enum guest_state state);

/** Close all connections of a network at once, whatever they are doing. */
void admission_remove(struct worker_network *network);

/** Go down: close idle connections, refuse incomplete requests; complete ones are left to finish. */
void admission_drain(void);

#endif
