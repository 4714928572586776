/*
 * The log's sockets: made and connected by the parent, one for each worker.
 *
 * A worker and the parent hold the same socket, so when the parent connects it again after the log's daemon
 * was restarted, the worker's end is connected again as well. What a worker does to its socket (it may shut
 * it down) lasts as long as that worker: the next one gets a new socket, and the parent's own lines never go
 * through it. For stderr it is a pair, whose other end the parent copies to stderr, and the worker needs no
 * right to write to a file. For `none` it is a socket that leads nowhere.
 */
#ifndef METAWARD_IPC_LOGSOCKET_H
#define METAWARD_IPC_LOGSOCKET_H

#include "ipc/settings.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

struct logsocket {
    enum log_target target;
    int own;     /* the parent's, for syslog; else -1 */
    int worker;  /* handed to the worker that is started next */
    int relay;   /* to be copied to stderr, for stderr; else -1 */
    int64_t due; /* when to connect to syslog again, as clock_now() counts; 0: it is connected */
    bool waits;  /* lines are waiting because stderr has no room: wait for POLLOUT there, not for the relay */
};

/**
 * Open the parent's own, and none for a worker yet. An absent /dev/log is told, and is no failure: it may
 * come.
 *
 * @return false with errno set
 */
bool logsocket_open(enum log_target target, struct logsocket *out);

/** Connect one datagram socket to /dev/log. @return false with errno set */
bool logsocket_to_device(int fd);

/** Make a new one for the next worker, and close the last worker's. @return false with errno set */
bool logsocket_renew(struct logsocket *log);

/** It is broken: connect again as soon as logsocket_retry() is called. */
void logsocket_broken(struct logsocket *log);

/** Connect to /dev/log again, the parent's and the worker's, where that is due at `now`. */
void logsocket_retry(struct logsocket *log, int64_t now);

/**
 * Copy lines that are there to stderr: a bounded number, as long as stderr has room, and every control
 * character as '?', because the worker that wrote them may be a guest's by now.
 */
void logsocket_relay(struct logsocket *log);

/** Does stderr take a line without waiting? */
bool logsocket_stderr_has_room(void);

/** Where logsocket_connect() goes; the parent's policy pins it. Constant. */
extern const struct sockaddr_un logsocket_device;

#endif
