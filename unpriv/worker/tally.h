/*
 * Counting what happens to a network's connections and requests, where the parent gave memory for that
 * (ipc/counters.h); in a single network's worker nothing is counted and nothing is kept.
 */
#ifndef METAWARD_UNPRIV_WORKER_TALLY_H
#define METAWARD_UNPRIV_WORKER_TALLY_H

#include "ipc/counters.h"
#include "unpriv/worker/connection.h"

/**
 * Map the memory to count in.
 *
 * @param fd stays the caller's
 * @return false with errno set
 */
bool tally_begin(int fd, uint32_t networks);

/** Where to count for a network; NULL: nowhere. What was counted for it by an earlier worker goes on. */
struct counters *tally_network(uint32_t number, const struct network *given);

/** A connection was taken in. */
void tally_opened(const struct source *source);

/** A connection was closed. */
void tally_closed(const struct source *source);

/** A request's head is there and good: did its guest try to set what only the proxy may? */
void tally_head(const struct source *source, const struct http_request *request, const char *bytes);

/** A request is beyond a rate. */
void tally_beyond_rate(const struct source *source);

/**
 * A request or a connection was refused before it became an exchange.
 *
 * @param counters its network's; NULL: not counted
 * @param status   what it was answered; 0: nothing
 */
void tally_refused(struct counters *counters, uint16_t status, enum http_reason reason);

/** An exchange ends. */
void tally_exchange(const struct exchange *exchange);

#endif
