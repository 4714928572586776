/*
 * See logsocket.h.
 */
#include "ipc/logsocket.h"

#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#define LINE_MOST 2048

const struct sockaddr_un logsocket_device = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};

bool logsocket_open(enum log_target target, struct logsocket *out)
{
    int pair[2];
    out->relay = -1;
    if (target == LOG_TO_SYSLOG) {
        out->worker = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        return out->worker >= 0;
    }
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return false;
    out->worker = pair[0];
    out->relay = pair[1];
    return true;
}

bool logsocket_connect(const struct logsocket *log)
{
    return connect(log->worker, (const struct sockaddr *)&logsocket_device, sizeof(logsocket_device)) == 0;
}

void logsocket_relay(const struct logsocket *log)
{
    char line[LINE_MOST + 1];
    for (;;) {
        ssize_t length = recv(log->relay, line, LINE_MOST, MSG_DONTWAIT);
        if (length <= 0)
            return;
        line[length] = '\n';
        if (write(STDERR_FILENO, line, (size_t)length + 1) < 0)
            return; /* the reader of our stderr is gone: nothing to tell, nobody to tell it to */
    }
}
