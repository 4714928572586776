/*
 * Requests on their way to the agent. See upstream.h for the theory.
 */
#include "unpriv/worker/upstream.h"

#include "unpriv/worker/admission.h"
#include "unpriv/worker/agent.h"
#include "unpriv/worker/alarm.h"
#include "unpriv/worker/dialing.h"
#include "unpriv/worker/link.h"
#include "unpriv/worker/relay.h"
#include "unpriv/worker/service.h"

#include <errno.h>
#include <unistd.h>

#define RETRY_FIRST_MS 2
#define RETRY_MOST_MS  20

static struct event retry_timer;
static bool retry_armed;
static bool stalled; /* the agent's backlog was full when last tried */
static uint32_t retry_ms = RETRY_FIRST_MS;

static void on_retry(int fd, short what, void *unused)
{
    (void)fd, (void)what, (void)unused;
    service_wake();
    retry_armed = false;
    stalled = false;
    retry_ms = retry_ms * 2 < RETRY_MOST_MS ? retry_ms * 2 : RETRY_MOST_MS;
    service_settle();
}

void upstream_begin(void)
{
    event_assign(&retry_timer, service.base, -1, 0, on_retry, NULL);
}

static void stall(void)
{
    struct timeval interval = {0, (suseconds_t)retry_ms * 1000};

    stalled = true;
    if (!retry_armed)
        retry_armed = event_add(&retry_timer, &interval) == 0;
}

void upstream_queue(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    admission_state(connection, GUEST_WAITING);
    alarm_set(connection, DEADLINE_CONNECT);
    exchange->waiting = true;
    queue_push(&service.queue, &exchange->waiter, connection->source);
}

static bool passes(int error)
{
    return error == EAGAIN || error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
           error == EINTR || error == EADDRNOTAVAIL || error == ETOOMANYREFS;
}

static enum http_reason reason_of(int error)
{
    return agent_is_forbidden(error) ? REASON_AGENT_FORBIDDEN : REASON_AGENT_ABSENT;
}

/* The agent has the request, or the first part of it. */
static void taken(struct exchange *exchange, size_t sent)
{
    exchange->taken_at = service.now;
    exchange->request_sent = (uint32_t)sent;
    retry_ms = RETRY_FIRST_MS;
    admission_state(exchange->guest, GUEST_ANSWERING);
    alarm_set(exchange->guest, DEADLINE_SERVER);
}

/* There is no connection for the request just taken from the queue. @return false where none can be had now
 */
static bool not_taken(struct exchange *exchange, int error)
{
    exchange->waiting = passes(error);
    if (exchange->waiting) {
        queue_put_back(&service.queue, &exchange->waiter);
        stall();
        return false;
    }
    queue_done(&service.queue, exchange->guest->source);
    relay_fail(exchange, 503, reason_of(error));
    return true;
}

/* May the network's requests share connections? Not where its guests are several tenants'. */
static bool may_share(const struct exchange *exchange)
{
    return service.settings.upstream_reuse &&
           exchange->guest->source->network->given.identity != IDENTITY_INSTANCE;
}

/* Ask on a connection that is there already. @return false where there is none for this request */
static bool ask_again_there(struct exchange *exchange)
{
    if (!may_share(exchange) || !exchange->safe || exchange->again || !link_take(exchange))
        return false;
    exchange->old_link = true;
    taken(exchange, agent_send(exchange->fd, exchange->request, exchange->request_length));
    relay_begin(exchange);
    return true;
}

/* A new connection to the agent. */
static void connected_by(struct exchange *exchange, int fd)
{
    exchange->fd = fd;
    if (may_share(exchange))
        link_make(exchange, fd);
}

/* @return false where the agent takes nothing now */
static bool dispatch_one(struct exchange *exchange)
{
    size_t sent = 0;
    int fd;

    exchange->waiting = false;
    if (ask_again_there(exchange))
        return true;
    if (settings_dialed(&service.settings))
        return dialing_ask(exchange) || not_taken(exchange, EAGAIN);
    fd = agent_ask(exchange->request, exchange->request_length, &sent);
    if (fd < 0)
        return not_taken(exchange, errno);
    connected_by(exchange, fd);
    taken(exchange, sent);
    relay_begin(exchange);
    return true;
}

void upstream_dialed(struct exchange *exchange, int fd, int error)
{
    if (fd < 0) {
        agent_unreached(error);
        not_taken(exchange, error);
        return;
    }
    connected_by(exchange, fd);
    exchange->connecting = true;
    if (upstream_connected(exchange))
        relay_begin(exchange);
}

bool upstream_connected(struct exchange *exchange)
{
    size_t sent = 0;

    switch (agent_try(exchange->fd, exchange->request, exchange->request_length, &sent)) {
    case AGENT_CONNECTED:
        exchange->connecting = false;
        taken(exchange, sent);
        return true;
    case AGENT_CONNECTING:
        return true;
    case AGENT_UNREACHED:
        break;
    }
    relay_fail(exchange, 503, reason_of(errno));
    return false;
}

void upstream_dispatch(void)
{
    struct waiter *waiter;

    while (!stalled && (waiter = queue_take(&service.queue))) {
        if (!dispatch_one(list_owner(waiter, struct exchange, waiter)))
            break;
    }
}

bool upstream_again(struct exchange *exchange)
{
    if (!exchange->old_link)
        return false;
    link_leave(exchange, false);
    exchange->old_link = false;
    exchange->again = true;
    exchange->request_sent = 0;
    exchange->waiting = true;
    queue_put_back(&service.queue, &exchange->waiter);
    admission_state(exchange->guest, GUEST_WAITING);
    alarm_set(exchange->guest, DEADLINE_CONNECT);
    return true;
}

void upstream_leave(struct exchange *exchange)
{
    if (exchange->waiting) {
        exchange->waiting = false;
        queue_withdraw(&service.queue, &exchange->waiter);
    }
    if (exchange->dialing) {
        dialing_leave(exchange);
        queue_done(&service.queue, exchange->guest->source);
    }
    if (exchange->fd < 0)
        return;
    if (exchange->link) {
        link_leave(exchange, exchange->clean && !service.draining);
    } else {
        /* Closing takes the descriptor out of epoll's set; libevent, told afterwards, takes its EBADF for
         * just that. */
        close(exchange->fd);
        if (event_initialized(&exchange->event))
            event_del(&exchange->event);
        exchange->watched = false;
        exchange->fd = -1;
    }
    queue_done(&service.queue, exchange->guest->source);
    stalled = false;
}
