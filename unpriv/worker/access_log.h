/*
 * The lines about requests and connections.
 */
#ifndef METAWARD_UNPRIV_WORKER_ACCESS_LOG_H
#define METAWARD_UNPRIV_WORKER_ACCESS_LOG_H

#include "unpriv/worker/connection.h"

/** event=request: how an exchange ended. */
void access_log_exchange(const struct exchange *exchange);

/** event=refused: a request that did not become an exchange. */
void access_log_refused(const struct connection *connection, uint16_t status, enum http_reason reason);

/** event=rate-limited: a request that is beyond a limit and passes, because limits are only tried out. */
void access_log_beyond_rate(const struct connection *connection, const struct rate_excess *excess);

/** event=evicted: a connection that gave way to another source. */
void access_log_evicted(const struct connection *connection);

/** event=refused: a connection that was not taken in. */
void access_log_turned_away(const struct worker_network *network, const struct address *address,
                            enum http_reason reason);

#endif
