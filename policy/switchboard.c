/*
 * See switchboard.h.
 */
#include "policy/switchboard.h"

#include "ipc/report.h"
#include "ipc/steps.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_MOST_MS 10000 /* a dialer that is not ready by then hangs */

static int look(pid_t pid, const struct facts *worker)
{
    struct facts facts = *worker;
    facts.filters--;
    const char *wrong = facts_status(pid, &facts);
    if (wrong == NULL)
        wrong = facts_surroundings(pid, FACTS_DIALER);
    return wrong == NULL ? 0 : report_failed(STEP_FACTS, 0, wrong);
}

int switchboard_begin(struct channel *channel, const struct address *agent, const struct facts *worker)
{
    struct pollfd polled = {.fd = channel->fd, .events = POLLIN};
    struct message dial;
    struct received received;
    message_begin(&dial, MSG_DIAL);
    dial.body.address = *agent;
    if (channel_send(channel, &dial, NULL) != CHANNEL_OK && errno != EPIPE) /* then it has said why */
        return report_failed(STEP_CHANNEL, errno, "dialer");
    int ready = poll(&polled, 1, START_MOST_MS);
    if (ready <= 0)
        return report_failed(STEP_START_DIALER, ready == 0 ? ETIMEDOUT : errno, "");
    if (channel_receive(channel, PHASE_PARENT_DIALER_START, &received) != CHANNEL_OK)
        return report_failed(STEP_START_DIALER, errno, "");
    if (received.message.type == MSG_FAILED)
        return report_failed(received.message.step, received.message.status, "dialer");
    return look(received.pid, worker);
}

/* @return whether it was sent, or has nobody left who would receive it */
static bool send_end(struct channel *channel, int end)
{
    struct message line;
    message_begin(&line, MSG_LINE);
    return channel_send(channel, &line, &end) == CHANNEL_OK || errno == EPIPE || errno == ECONNRESET ||
           errno == ENOTCONN;
}

bool switchboard_connect(struct channel *dialer, struct channel *worker)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return false;
    bool sent = send_end(dialer, ends[0]) && send_end(worker, ends[1]);
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return sent;
}

int switchboard_receive(struct channel *channel)
{
    struct received received;
    enum channel_result result = channel_receive(channel, PHASE_PARENT_DIALER, &received);
    return result == CHANNEL_AGAIN ? 0 : report_failed(STEP_DIALER_DIED, 0, "");
}
