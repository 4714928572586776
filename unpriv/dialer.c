/*
 * The dialer's loop. See dialer.h for the theory.
 */
#include "unpriv/dialer.h"

#include "ipc/channel.h"
#include "ipc/dial.h"
#include "ipc/steps.h"
#include "policy/descriptors.h"
#include "policy/filter.h"
#include "policy/inventory.h"
#include "policy/lockdown.h"
#include "unpriv/pinned.h"
#include "unpriv/start.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { POLL_CHANNEL, POLL_LINE, POLL_COUNT };

static struct channel channel;
static struct pollfd polled[POLL_COUNT] = {{.fd = CHANNEL_FD, .events = POLLIN},
                                           {.fd = -1, .events = POLLIN}};

static bool pin(const struct address *address)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    if (address->family == ADDRESS_IPV4) {
        memcpy(&in4.sin_addr, address->ip, sizeof(in4.sin_addr));
        return pinned_write(&in4, sizeof(in4));
    }
    memcpy(&in6.sin6_addr, address->ip, sizeof(in6.sin6_addr));
    return pinned_write(&in6, sizeof(in6));
}

static int confine(const struct address *address)
{
    static const struct descriptor expected[] = {{CHANNEL_FD, KIND_CHANNEL}};
    if (!pin(address))
        return STEP_BACKEND_ADDRESS;
    const struct policy_values values = {pinned_address(), pinned_length(), pinned_address()->sa_family};
    int step = confine_dialer(address->port);
    if (step != 0)
        return step;
    if (!inventory_exact(expected, sizeof(expected) / sizeof(expected[0])))
        return STEP_INVENTORY;
    return filter_load(POLICY_DIALER, &values) ? 0 : STEP_FILTER;
}

static void hang_up(void)
{
    close(DIALER_LINE_FD);
    polled[POLL_LINE].fd = -1;
}

/* Wait until the line takes an answer. @return false where the parent has something to say, which goes first
 */
static bool await_room(void)
{
    struct pollfd either[POLL_COUNT] = {{.fd = CHANNEL_FD, .events = POLLIN},
                                        {.fd = DIALER_LINE_FD, .events = POLLOUT}};
    return (ppoll(either, POLL_COUNT, NULL, NULL) >= 0 || errno == EINTR) &&
           either[POLL_CHANNEL].revents == 0;
}

static void answer(int fd, int error)
{
    enum channel_result result;
    while ((result = dial_answer(DIALER_LINE_FD, fd, error)) != CHANNEL_OK) {
        if (result == CHANNEL_ERROR && error == 0) { /* ETOOMANYREFS: nobody has received the last ones yet */
            error = errno;
        } else if (result != CHANNEL_AGAIN || !await_room()) {
            hang_up(); /* a worker that misses an answer would take the next one for it */
            return;
        }
    }
}

static void dial(void)
{
    int fd = socket(pinned_address()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool begun = fd >= 0 && (connect(fd, pinned_address(), pinned_length()) == 0 || errno == EINPROGRESS);
    answer(fd, begun ? 0 : errno);
    if (fd >= 0)
        close(fd);
}

/* The worker has asked, or is gone, or is not itself. */
static void on_line(void)
{
    switch (dial_receive_ask(DIALER_LINE_FD)) {
    case CHANNEL_OK:
        dial();
        break;
    case CHANNEL_AGAIN:
        break;
    default:
        hang_up();
    }
}

/* The line to a new worker. The old one is closed first, so that the new one gets its number: the lowest
 * free. */
static int on_channel(void)
{
    struct received received;
    if (polled[POLL_LINE].fd >= 0)
        hang_up();
    switch (channel_receive(&channel, PHASE_DIALER, &received)) {
    case CHANNEL_OK:
        polled[POLL_LINE].fd = DIALER_LINE_FD;
        return received.fds[0] == DIALER_LINE_FD ? 0 : STEP_DESCRIPTORS;
    case CHANNEL_CLOSED:
        _exit(0);
    default:
        return STEP_CHANNEL;
    }
}

int dialer_run(void)
{
    struct received received;
    channel_begin(&channel, CHANNEL_FD);
    /* The executable, which nobody will execute from here. */
    if (close(NURSERY_EXECUTABLE_FD) != 0)
        return start_failed(STEP_DESCRIPTORS);
    if (!start_await(&channel, PHASE_DIALER_START, &received))
        return start_failed(STEP_CHANNEL);
    int step = confine(&received.message.body.address);
    if (step != 0)
        return start_failed(step);
    struct message ready;
    message_begin(&ready, MSG_READY);
    if (channel_send(&channel, &ready, NULL) != CHANNEL_OK)
        return STEP_CHANNEL;
    while (ppoll(polled, POLL_COUNT, NULL, NULL) >= 0 || errno == EINTR) {
        if (polled[POLL_CHANNEL].revents != 0 && (step = on_channel()) != 0)
            return step;
        if (polled[POLL_LINE].fd >= 0 && polled[POLL_LINE].revents != 0)
            on_line();
    }
    return STEP_CHANNEL;
}
