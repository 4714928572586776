/*
 * Exchanges. See exchange.h.
 */
#include "unpriv/worker/exchange.h"

#include "unpriv/worker/access_log.h"
#include "unpriv/worker/tally.h"
#include "unpriv/worker/upstream.h"

#include <string.h>

struct exchange *exchange_begin(struct connection *connection)
{
    struct exchange *exchange = pool_take(&service.exchanges); /* as many as connections */

    memset(exchange, 0, sizeof(*exchange));
    exchange->guest = connection;
    exchange->request = pool_take(&service.requests);
    exchange->complete_at = service.now;
    exchange->fd = -1;
    connection->exchange = exchange;
    return exchange;
}

void exchange_drop(struct exchange *exchange)
{
    exchange->guest->exchange = NULL;
    pool_give(&service.requests, exchange->request);
    pool_give(&service.exchanges, exchange);
}

void exchange_end(struct exchange *exchange)
{
    upstream_leave(exchange);
    tally_exchange(exchange);
    access_log_exchange(exchange);
    exchange_drop(exchange);
}
