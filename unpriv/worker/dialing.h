/*
 * Requests for which the dialer makes a connection to an agent over TCP.
 *
 * Each request that the queue gives out has the dialer asked once, over the line (ipc/dial.h), and answers
 * come in the order of the asking: a connection is given to the request that has waited longest. One that
 * nobody wants any more, because its guest has gone, is kept in mind and saves the next request the asking;
 * if it comes before, it is closed.
 */
#ifndef METAWARD_UNPRIV_WORKER_DIALING_H
#define METAWARD_UNPRIV_WORKER_DIALING_H

#include "unpriv/worker/connection.h"

/** Watch the line. Without a dialer nothing happens. @return false where it can't be watched */
bool dialing_start(void);

/** Ask for a connection for this request; upstream_dialed() gets it. @return false where it can't be asked
 * now */
bool dialing_ask(struct exchange *exchange);

/** The request needs none any more. */
void dialing_leave(struct exchange *exchange);

#endif
