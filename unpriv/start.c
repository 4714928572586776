/*
 * The worker's start and its side of the channel. See start.h for the theory.
 */
#include "unpriv/start.h"

#include "ipc/channel.h"
#include "ipc/steps.h"
#include "policy/descriptors.h"
#include "policy/filter.h"
#include "policy/inventory.h"
#include "policy/lockdown.h"
#include "unpriv/backend.h"
#include "unpriv/log.h"
#include "unpriv/pinned.h"
#include "unpriv/worker/serve.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <poll.h>
#include <unistd.h>

#define ORDERS_AT_ONCE 64 /* then the guests there are have their turn */

static struct channel channel;
static uint32_t phase = PHASE_WORKER_START;

static bool tell(enum message_type type, int status, int step)
{
    struct message message;
    message_begin(&message, type);
    message.status = status;
    message.step = step;
    return channel_send(&channel, &message, NULL) == CHANNEL_OK;
}

int start_failed(int step)
{
    int error = errno;
    if (channel.fd != CHANNEL_FD || channel.sent == 0)
        channel_begin(&channel, CHANNEL_FD);
    tell(MSG_FAILED, error, step);
    return step;
}

/* The parent can't be told when the channel itself fails: the exit status says it. */
static _Noreturn void end(int status)
{
    _exit(status);
}

static void obey(const struct received *received)
{
    const struct message *message = &received->message;
    switch ((enum message_type)message->type) {
    case MSG_NETWORK:
        if (!serve_network(message->network, &message->body.network))
            end(STEP_CHANNEL);
        break;
    case MSG_LISTENER:
        if (!serve_listener(message->slot, message->network, received->fds[0], &message->body.address))
            end(STEP_CHANNEL);
        break;
    case MSG_UNLISTEN:
        if (!serve_unlisten(message->slot))
            end(STEP_CHANNEL);
        break;
    case MSG_REMOVE:
        if (!serve_remove(message->network))
            end(STEP_CHANNEL);
        break;
    case MSG_INSTANCES:
        if (!serve_instances(&message->body.instances))
            end(STEP_CHANNEL);
        break;
    case MSG_SERVE:
        if (!serve_start() || !tell(MSG_SERVING, 0, 0))
            end(STEP_EVENTS);
        phase = PHASE_WORKER;
        break;
    case MSG_LOG:
        log_replace(received->fds[0]);
        break;
    case MSG_DRAIN:
        serve_drain();
        break;
    case MSG_RETIRE:
        serve_retire();
        break;
    default:
        end(STEP_CHANNEL); /* the phase table lets nothing else through */
    }
}

/* Read what the parent has sent; its end is ours. */
static void on_channel(evutil_socket_t fd, short events, void *context)
{
    (void)fd;
    (void)events;
    (void)context;
    for (unsigned i = 0; i < ORDERS_AT_ONCE; i++) {
        struct received received;
        switch (channel_receive(&channel, phase, &received)) {
        case CHANNEL_OK:
            obey(&received);
            break;
        case CHANNEL_AGAIN:
            return;
        case CHANNEL_CLOSED:
            end(0);
        case CHANNEL_BAD:
        case CHANNEL_ERROR:
            end(STEP_CHANNEL);
        }
    }
}

static void on_log_broken(int error)
{
    tell(MSG_LOG_BROKEN, error, 0);
}

bool start_await(struct channel *from, uint32_t allowed, struct received *received)
{
    struct pollfd polled = {.fd = from->fd, .events = POLLIN};
    for (;;) {
        switch (channel_receive(from, allowed, received)) {
        case CHANNEL_OK:
            return true;
        case CHANNEL_CLOSED:
            end(0);
        case CHANNEL_BAD:
        case CHANNEL_ERROR:
            return false;
        case CHANNEL_AGAIN:
            if (ppoll(&polled, 1, NULL, NULL) < 0 && errno != EINTR)
                return false;
        }
    }
}

/* The last steps, in the order that policy/confine.h gives. */
static int confine(bool dialed)
{
    static const struct descriptor expected[] = {
        {CHANNEL_FD, KIND_CHANNEL}, {LOG_FD, KIND_LOG}, {EPOLL_FD, KIND_NO_SOCKET}, {LINE_FD, KIND_CHANNEL}};
    const struct policy_values values = {.address = pinned_address(), .address_length = pinned_length()};
    int step = confine_worker();
    if (step != 0)
        return step;
    if (!inventory_exact(expected, dialed ? 4 : 3))
        return STEP_INVENTORY;
    return filter_load(dialed ? POLICY_WORKER_DIALED : POLICY_WORKER, &values) ? 0 : STEP_FILTER;
}

/* The line to the dialer gets the lowest free number, the one that the filter pins. */
static int await_line(void)
{
    struct received received;
    if (!start_await(&channel, PHASE_WORKER_LINE, &received))
        return STEP_CHANNEL;
    return received.fds[0] == LINE_FD ? 0 : STEP_DESCRIPTORS;
}

/* Memory, the agent's address, the event loop: everything that still needs to ask the kernel for something.
 * `counters` is -1 where there is nothing to count in; its number is epoll's afterwards. */
static int prepare(const struct settings *settings, int counters)
{
    static struct event channel_event;
    log_on_broken(on_log_broken);
    if (!serve_reserve(settings))
        return STEP_MEMORY;
    if (counters >= 0 && (!serve_counters(settings, counters) || close(counters) != 0))
        return STEP_MEMORY;
    if (!settings_dialed(settings) && !backend_pin(settings->backend))
        return STEP_BACKEND_ADDRESS;
    struct event_base *base = serve_events();
    if (base == NULL ||
        event_assign(&channel_event, base, CHANNEL_FD, EV_READ | EV_PERSIST, on_channel, NULL) != 0 ||
        event_add(&channel_event, NULL) != 0)
        return STEP_EVENTS;
    return settings_dialed(settings) ? await_line() : 0;
}

int start_worker(void)
{
    struct received received;
    channel_begin(&channel, CHANNEL_FD);
    if (!start_await(&channel, phase, &received))
        return start_failed(STEP_CHANNEL);
    int counters = received.message.type == MSG_COUNTERS ? received.fds[0] : -1;
    if ((counters >= 0 && !start_await(&channel, phase, &received)) || received.message.type != MSG_SETTINGS)
        return start_failed(STEP_CHANNEL);
    int step = prepare(&received.message.body.settings, counters);
    if (step == 0)
        step = confine(settings_dialed(&received.message.body.settings));
    if (step != 0)
        return start_failed(step);
    phase = PHASE_WORKER_LISTENERS;
    if (!tell(MSG_READY, 0, 0))
        return STEP_CHANNEL;
    return serve_run() == 0 ? 0 : STEP_EVENTS;
}
