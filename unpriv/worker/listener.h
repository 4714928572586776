/*
 * The listeners: accepting, and pausing where the system has nothing left to accept with.
 *
 * A listener has a slot, which the parent chose, and belongs to one network: whoever comes in through it is
 * that network's guest.
 */
#ifndef METAWARD_UNPRIV_WORKER_LISTENER_H
#define METAWARD_UNPRIV_WORKER_LISTENER_H

#include "ipc/address.h"
#include "unpriv/worker/network.h"

#include <stdbool.h>

/** Reserve memory for the slots 0 to `slots` - 1. @return false with errno set */
bool listener_reserve(uint32_t slots);

/** Make the timer. After the event base. */
void listener_begin(void);

/** @see serve_listener() */
bool listener_add(unsigned slot, struct worker_network *network, int fd, const struct address *address);

/** @see serve_unlisten() */
bool listener_remove(unsigned slot);

/** Close every listener of a network. */
void listener_remove_all(struct worker_network *network);

/** Accept on every listener, those that are added later too. @return false where one can't be watched */
bool listener_start(void);

/** Accept nothing more: close every listener. */
void listener_stop(void);

#endif
