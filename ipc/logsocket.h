/*
 * The log's sockets: made and connected by the parent, one for each worker.
 *
 * A worker may send to its socket and can't connect it, so after the log's daemon was restarted the parent
 * makes a new one and hands it over (MSG_LOG); it keeps none of them. The parent's own lines go through a
 * socket that is there only while one is written (report.h). For stderr a worker's socket is one of a pair,
 * whose other end the parent copies to stderr, and the worker needs no right to write to a file. For `none`
 * it is a socket that leads nowhere.
 */
#ifndef METAWARD_IPC_LOGSOCKET_H
#define METAWARD_IPC_LOGSOCKET_H

#include "ipc/channel.h"
#include "ipc/settings.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

struct logsocket {
    enum log_target target;
    int relay;   /* to be copied to stderr, for stderr; else -1 */
    int64_t due; /* when the worker is to get another one, as clock_now() counts; 0: its own is good */
    bool waits;  /* lines are waiting because stderr has no room: wait for POLLOUT there, not for the relay */
};

/**
 * There is none for a worker yet. An absent /dev/log is told, and is no failure: it may come.
 *
 * @return false with errno set
 */
bool logsocket_open(enum log_target target, struct logsocket *out);

/** A datagram socket that is connected to /dev/log, the caller's to close. @return -1 with errno set */
int logsocket_to_device(void);

/** Close the last worker's relay, after its last words. */
void logsocket_end(struct logsocket *log);

/** Make the next worker's, the caller's to close once the worker has it. @return -1 with errno set */
int logsocket_renew(struct logsocket *log);

/** It is broken: try another one as soon as logsocket_retry() is called. */
void logsocket_broken(struct logsocket *log);

/** Where that is due at `now`, hand another one to the worker at the end of the channel; NULL: none serves.
 */
void logsocket_retry(struct logsocket *log, int64_t now, struct channel *worker);

/**
 * Copy lines that are there to stderr: a bounded number, as long as stderr has room, and every control
 * character as '?', because the worker that wrote them may be a guest's by now.
 */
void logsocket_relay(struct logsocket *log);

/** Does stderr take a line without waiting? */
bool logsocket_stderr_has_room(void);

/** Where logsocket_to_device() goes; the parent's policy pins it. Constant. */
extern const struct sockaddr_un logsocket_device;

#endif
