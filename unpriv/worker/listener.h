/*
 * The listeners: accepting, and pausing where the system has nothing left to accept with.
 */
#ifndef METAWARD_UNPRIV_WORKER_LISTENER_H
#define METAWARD_UNPRIV_WORKER_LISTENER_H

#include "ipc/address.h"

#include <stdbool.h>

/** Make the timer. After the event base. */
void listener_begin(void);

/** @see serve_listener() */
bool listener_add(unsigned slot, int fd, const struct address *address);

/** Accept on every listener, those that are added later too. @return false where one can't be watched */
bool listener_start(void);

/** Accept nothing more: close every listener. */
void listener_stop(void);

#endif
