/*
 * The deadlines of connections, and the one timer that watches over them.
 *
 * The timer is armed for the earliest deadline and left alone while deadlines are set and cleared behind it:
 * when it goes off with nothing due, it is armed again. So a request costs no timer operation at all.
 */
#ifndef METAWARD_UNPRIV_WORKER_ALARM_H
#define METAWARD_UNPRIV_WORKER_ALARM_H

#include "unpriv/worker/connection.h"

/** Take the durations from the settings, and make the timer. After the event base. */
void alarm_begin(void);

/** Set the connection's deadline, in place of any other. */
void alarm_set(struct connection *connection, enum deadline_kind kind);

/** The connection has no deadline any more. */
void alarm_clear(struct connection *connection);

#endif
