/*
 * Asking the daemon: one connection, a request, its records, its end. See ctl.h.
 */
#include "ctl/ctl.h"

#include "ipc/steps.h"
#include "ipc/text.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 10000 /* for the next record; the daemon never takes as long */
#define TRIES       3     /* of a request that was not met, because of an upgrade */

static int fail(char *reason, int status, const char *what, const char *subject)
{
    (void)snprintf(reason, CONTROL_REASON_SIZE, "%s%s%s%s", what, subject, errno != 0 ? ": " : "",
                   errno != 0 ? errno_name(errno) : "");
    return status;
}

static int connect_once(struct ctl *ctl, char *reason)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (ctl->fd >= 0)
        return CTL_OK;
    errno = 0;
    if (strlen(ctl->socket) >= sizeof(address.sun_path))
        return fail(reason, CTL_USAGE, "too long a path: ", ctl->socket);
    memcpy(address.sun_path, ctl->socket, strlen(ctl->socket));
    ctl->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (ctl->fd >= 0 && connect(ctl->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return CTL_OK;
    int status = fail(reason, CTL_UNREACHABLE, "cannot reach the daemon at ", ctl->socket);
    if (ctl->fd >= 0)
        close(ctl->fd);
    ctl->fd = -1;
    return status;
}

static bool await(int fd, short events)
{
    struct pollfd polled = {.fd = fd, .events = events};
    int ready;
    do {
        ready = poll(&polled, 1, PATIENCE_MS);
    } while (ready < 0 && errno == EINTR);
    if (ready == 0)
        errno = ETIMEDOUT;
    return ready > 0;
}

static enum channel_result next_reply(int fd, struct control_reply *reply)
{
    enum channel_result result;
    while ((result = control_reply_receive(fd, reply)) == CHANNEL_AGAIN) {
        if (!await(fd, POLLIN))
            return CHANNEL_ERROR;
    }
    return result;
}

static enum channel_result send_request(int fd, const struct control_request *request, int netns)
{
    enum channel_result result;
    while ((result = control_send(fd, request, netns)) == CHANNEL_AGAIN) {
        if (!await(fd, POLLOUT))
            return CHANNEL_ERROR;
    }
    return result;
}

/* The connection is of no use any more. */
static int lost(struct ctl *ctl, char *reason, enum channel_result result)
{
    if (result == CHANNEL_CLOSED)
        errno = 0;
    close(ctl->fd);
    ctl->fd = -1;
    if (result == CHANNEL_BAD)
        return fail(reason, CTL_PROTOCOL, "not understood: what answers at ", ctl->socket);
    return fail(reason, CTL_UNREACHABLE, "the daemon has closed the connection at ", ctl->socket);
}

/* @param again is set where a daemon that was just upgraded did not meet it: its successor is to be asked */
static int ask_once(struct ctl *ctl, const struct control_request *request, int netns,
                    void (*record)(const struct control_reply *reply, void *context), void *context,
                    char *reason, bool *again)
{
    struct control_reply reply = {0};
    int status = connect_once(ctl, reason);
    if (status != CTL_OK)
        return status;
    enum channel_result result = send_request(ctl->fd, request, netns);
    while (result == CHANNEL_OK && (result = next_reply(ctl->fd, &reply)) == CHANNEL_OK) {
        if (reply.type == CONTROL_OK)
            return CTL_OK;
        if (reply.type == CONTROL_ERROR && reply.code == CONTROL_LATER)
            break;
        if (reply.type == CONTROL_ERROR) {
            memcpy(reason, reply.body.reason, CONTROL_REASON_SIZE);
            return reply.code == CONTROL_UNKNOWN ? CTL_UNKNOWN : CTL_REFUSED;
        }
        if (record != NULL)
            record(&reply, context);
    }
    *again = result == CHANNEL_OK || (result == CHANNEL_CLOSED && reply.type == CONTROL_REPLY_NONE);
    return lost(ctl, reason, result);
}

int ctl_ask_quietly(struct ctl *ctl, const struct control_request *request, int netns,
                    void (*record)(const struct control_reply *reply, void *context), void *context,
                    char *reason)
{
    int status = CTL_UNREACHABLE;
    bool again = true;
    for (int i = 0; again && i < TRIES; i++) {
        again = false;
        status = ask_once(ctl, request, netns, record, context, reason, &again);
    }
    return status;
}

int ctl_ask(struct ctl *ctl, const struct control_request *request, int netns,
            void (*record)(const struct control_reply *reply, void *context), void *context)
{
    char reason[CONTROL_REASON_SIZE] = "";
    int status = ctl_ask_quietly(ctl, request, netns, record, context, reason);
    if (status != CTL_OK)
        (void)fprintf(stderr, "metawardctl: %s\n", reason);
    return status;
}
