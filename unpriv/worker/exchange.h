/*
 * A complete request, from the moment it is complete to the moment its answer has been taken.
 */
#ifndef METAWARD_UNPRIV_WORKER_EXCHANGE_H
#define METAWARD_UNPRIV_WORKER_EXCHANGE_H

#include "unpriv/worker/connection.h"

/** Make one for a connection that has none. Its buffer for the request is empty. */
struct exchange *exchange_begin(struct connection *connection);

/** Leave queue or agent, log, and forget. */
void exchange_end(struct exchange *exchange);

/** Forget without a word: the request was refused after all. */
void exchange_drop(struct exchange *exchange);

#endif
