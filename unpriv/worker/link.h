/*
 * Connections to the agent that outlive a request.
 *
 * With upstream_reuse a connection whose answer ended where it said it would, on an agent that keeps it open,
 * waits for the next request of the same network. It is never another network's: an answer that is out of
 * step can then only reach those whom its question came from. A link is registered with epoll once, for as
 * long as it lives, and so tells by itself when the agent has had enough of it; whatever it says while it is
 * idle, even a byte, ends it. Links in use and idle ones together are at most as many as requests in flight
 * can be: the one that has been idle for longest gives way.
 */
#ifndef METAWARD_UNPRIV_WORKER_LINK_H
#define METAWARD_UNPRIV_WORKER_LINK_H

#include "unpriv/worker/connection.h"
#include "unpriv/worker/network.h"

/** Reserve memory for `most` links. @return false with errno set */
bool link_reserve(uint32_t most);

/** Once the event loop is there. */
void link_begin(void);

/**
 * Give an exchange an idle link of its network: its `link` and `fd`.
 *
 * @return false where there is none
 */
bool link_take(struct exchange *exchange);

/** Make a link of a new connection; from now on the exchange's descriptor is the link's. */
void link_make(struct exchange *exchange, int fd);

/** Wait for what the exchange's link brings: always its answer, and with `writable` room for its request.
 * @return false where that can't be */
bool link_watch(struct exchange *exchange, bool writable);

/** Hear nothing more of it until link_watch(). */
void link_unwatch(struct exchange *exchange);

/** The exchange is over: keep its link for the network's next one, or close it. */
void link_leave(struct exchange *exchange, bool keep);

/** Close all idle links of a network. */
void link_close_idle(struct worker_network *network);

/** Close all idle links: the worker is about to end. */
void link_close_all_idle(void);

#endif
