/*
 * See logsocket.h.
 */
#include "ipc/logsocket.h"

#include "ipc/clock.h"
#include "ipc/report.h"
#include "ipc/steps.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#define LINE_MOST 2048
#define LINES_MOST                                                                                           \
    64 /* in one turn: a worker that never stops writing must not keep the parent from the rest */

#define RETRY_MS 1000

#define KIND (SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

const struct sockaddr_un logsocket_device = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};

int logsocket_to_device(void)
{
    int fd = socket(AF_UNIX, KIND, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&logsocket_device, sizeof(logsocket_device)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

bool logsocket_open(enum log_target target, struct logsocket *out)
{
    *out = (struct logsocket){.target = target, .relay = -1};
    if (target != LOG_TO_SYSLOG)
        return true;
    int fd = logsocket_to_device();
    if (fd >= 0)
        return close(fd) == 0;
    report_event("event=log-absent path=/dev/log error=%s will=\"connect when it appears\"",
                 errno_name(errno));
    return true;
}

void logsocket_end(struct logsocket *log)
{
    if (log->relay >= 0) {
        logsocket_relay(log); /* its last words */
        close(log->relay);
    }
    log->relay = -1;
    log->waits = false;
}

static int renew_relay(struct logsocket *log)
{
    int pair[2];
    logsocket_end(log);
    if (socketpair(AF_UNIX, KIND, 0, pair) != 0)
        return -1;
    log->relay = pair[1];
    return pair[0];
}

int logsocket_renew(struct logsocket *log)
{
    if (log->target == LOG_TO_STDERR)
        return renew_relay(log);
    int fd = log->target == LOG_TO_SYSLOG ? logsocket_to_device() : -1;
    log->due = log->target == LOG_TO_SYSLOG && fd < 0 ? clock_now() + RETRY_MS : 0;
    return fd >= 0 ? fd : socket(AF_UNIX, KIND, 0); /* leads nowhere */
}

void logsocket_broken(struct logsocket *log)
{
    if (log->target == LOG_TO_SYSLOG && log->due == 0)
        log->due = clock_now();
}

void logsocket_retry(struct logsocket *log, int64_t now, struct channel *worker)
{
    struct message message;
    if (log->due == 0 || now < log->due)
        return;
    log->due = now + RETRY_MS;
    int fd = worker != NULL ? logsocket_to_device() : -1;
    if (fd < 0)
        return;
    message_begin(&message, MSG_LOG);
    if (channel_send(worker, &message, &fd) == CHANNEL_OK)
        log->due = 0;
    close(fd);
}

bool logsocket_stderr_has_room(void)
{
    static const struct timespec now = {0, 0};
    struct pollfd polled = {.fd = STDERR_FILENO, .events = POLLOUT};
    return ppoll(&polled, 1, &now, NULL) == 1;
}

static void make_printable(char *line, ssize_t length)
{
    for (ssize_t i = 0; i < length; i++) {
        if ((unsigned char)line[i] < 0x20 || (unsigned char)line[i] >= 0x7f)
            line[i] = '?';
    }
}

void logsocket_relay(struct logsocket *log)
{
    char line[LINE_MOST + 1];
    log->waits = false;
    for (unsigned i = 0; i < LINES_MOST; i++) {
        log->waits = !report_flush() || !logsocket_stderr_has_room(); /* the parent's lines go first */
        ssize_t length = log->waits ? 0 : recv(log->relay, line, LINE_MOST, MSG_DONTWAIT);
        if (length <= 0)
            return;
        make_printable(line, length);
        line[length] = '\n';
        if (write(STDERR_FILENO, line, (size_t)length + 1) < 0)
            return; /* the reader of our stderr is gone: nothing to tell, nobody to tell it to */
    }
}
