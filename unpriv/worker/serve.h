/*
 * The worker's service: from listeners to answered requests.
 *
 * This is all that the start code and the channel need to know of it. The order of calls is: serve_reserve()
 * and serve_events() before confinement, with every system call still possible; serve_network(),
 * serve_listener() and serve_start() after it; serve_run() until the end. Networks and listeners come and go
 * while it runs, too. Nothing allocates from serve_events() on.
 */
#ifndef METAWARD_UNPRIV_WORKER_SERVE_H
#define METAWARD_UNPRIV_WORKER_SERVE_H

#include "ipc/address.h"
#include "ipc/instance.h"
#include "ipc/settings.h"

#include <stdbool.h>

struct event_base;

/**
 * Count in the memory that the parent made for as many networks as the settings allow (ipc/counters.h).
 * Before serve_events(), or never.
 *
 * @param fd stays the caller's
 * @return false with errno set
 */
bool serve_counters(const struct settings *settings, int fd);

/**
 * Reserve all memory that the limits in the settings can need, and make the hash key.
 *
 * @param settings validated; copied
 * @return false with errno set
 */
bool serve_reserve(const struct settings *settings);

/**
 * Make the event base; libevent's memory comes from the reserve. Its epoll descriptor is the lowest free
 * number.
 *
 * @return the base, for the channel's own event; NULL with errno set
 */
struct event_base *serve_events(void);

/**
 * The most descriptors that the worker can ever hold, for RLIMIT_NOFILE: connections, upstreams, listeners
 * and a few.
 */
unsigned serve_descriptors(const struct settings *settings);

/**
 * Take a network into service, or change the one that has the number already: from now on its requests are
 * stamped, logged and limited as this says.
 *
 * @param number  less than settings.max_networks
 * @param network validated; copied
 * @return false where there is no such number
 */
bool serve_network(uint32_t number, const struct network *network);

/**
 * Take a listener into service; it is accepted from after serve_start().
 *
 * @param slot    less than settings.max_listeners
 * @param number  its network's
 * @param fd      listening, non-blocking TCP socket; owned by the worker from now on
 * @param address what it is bound to, for log lines
 * @return false where there is no such slot or network, or the slot is taken
 */
bool serve_listener(unsigned slot, uint32_t number, int fd, const struct address *address);

/**
 * Close a listener. Connections that came through it stay.
 *
 * @return false where there is none in the slot
 */
bool serve_unlisten(unsigned slot);

/**
 * Close a network's listeners and connections at once; requests at the agent are abandoned. The number is
 * free again.
 *
 * @return false where there is no such network
 */
bool serve_remove(uint32_t number);

/**
 * Take records of guests that are known one by one; a whole table of them replaces the one before. Requests
 * that are complete already keep the identity that they were given.
 *
 * @param batch validated; copied
 * @return false where it is not the next one, or there is no room for so many
 */
bool serve_instances(const struct instance_batch *batch);

/** Start accepting on every listener. */
bool serve_start(void);

/** Stop accepting, close idle connections, let requests in flight finish; serve_run() returns when none is
 * left. */
void serve_drain(void);

/** As serve_drain(), where somebody else accepts on the same listeners from now on: a guest whose connection
 * is idle may ask once more, until its time is over, and is told with the answer that it was the last. So no
 * request meets a connection that is being closed. */
void serve_retire(void);

/**
 * Run the event loop.
 *
 * @return 0 after serve_drain() has finished, or 1 where the loop failed
 */
int serve_run(void);

#endif
