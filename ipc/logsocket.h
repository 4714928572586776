/*
 * The log's socket: made and connected by the parent, used by parent and worker together.
 *
 * It is one socket with two holders, so when the parent connects it again after the log's daemon was
 * restarted, the worker's end is connected again as well. For stderr it is a pair, whose other end the parent
 * copies to stderr, and the worker needs no right to write to a file. For `none` it is a pair that nobody
 * uses.
 */
#ifndef METAWARD_IPC_LOGSOCKET_H
#define METAWARD_IPC_LOGSOCKET_H

#include "ipc/settings.h"

#include <sys/un.h>

struct logsocket {
    int worker; /* handed to each worker; the parent sends to it too (syslog) */
    int relay;  /* to be copied to stderr; -1 for syslog */
};

/** Open it. An absent /dev/log is no failure: it is reported by the caller, and connected when it comes.
 * @return false with errno set */
bool logsocket_open(enum log_target target, struct logsocket *out);

/** Connect to /dev/log (again). @return false with errno set */
bool logsocket_connect(const struct logsocket *log);

/** Copy all lines that are there to stderr. */
void logsocket_relay(const struct logsocket *log);

/** Where logsocket_connect() goes; the parent's policy pins it. Constant. */
extern const struct sockaddr_un logsocket_device;

#endif
