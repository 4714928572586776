/*
 * See link.h.
 */
#include "unpriv/worker/link.h"

#include "unpriv/worker/relay.h"
#include "unpriv/worker/service.h"

#include <unistd.h>

#define IDLE_MOST_MS 4000 /* agents close idle connections after five seconds or later */

struct link {
    struct event event;
    struct list_node by_network; /* while idle */
    struct list_node by_age;     /* while idle: the one that has been so for longest first */
    struct worker_network *network;
    struct exchange *exchange; /* NULL: idle */
    uint64_t idle_since;
    int fd;
    bool watched;
};

static struct pool links;
static struct list idle;
static struct event sweep_timer;
static bool sweep_armed;

static void arm_sweep(void)
{
    static const struct timeval interval = {IDLE_MOST_MS / 1000, 0};

    if (!sweep_armed && !list_empty(&idle))
        sweep_armed = event_add(&sweep_timer, &interval) == 0;
}

/* An idle link is taken out of both lists. */
static void leave_lists(struct link *link)
{
    list_remove(&link->network->links, &link->by_network);
    list_remove(&idle, &link->by_age);
}

static void discard(struct link *link)
{
    /* Closing takes the descriptor out of epoll's set; libevent, told afterwards, takes its EBADF for just
     * that. */
    close(link->fd);
    if (link->watched)
        event_del(&link->event);
    pool_give(&links, link);
}

static void discard_idle(struct link *link)
{
    leave_lists(link);
    discard(link);
}

static void on_sweep(int fd, short what, void *unused)
{
    (void)fd, (void)what, (void)unused;
    service_wake();
    sweep_armed = false;
    while (!list_empty(&idle)) {
        struct link *oldest = list_owner(idle.first, struct link, by_age);

        if (service.now - oldest->idle_since < IDLE_MOST_MS)
            break;
        discard_idle(oldest);
    }
    arm_sweep();
    service_settle();
}

static void on_link(int fd, short what, void *argument)
{
    struct link *link = argument;

    (void)fd;
    if (link->exchange) {
        relay_ready(link->exchange, what);
        return;
    }
    service_wake();
    discard_idle(link); /* its end, or bytes that nobody asked for */
    service_settle();
}

bool link_reserve(uint32_t most)
{
    return pool_reserve(&links, sizeof(struct link), most);
}

void link_begin(void)
{
    event_assign(&sweep_timer, service.base, -1, 0, on_sweep, NULL);
}

static void lend(struct link *link, struct exchange *exchange)
{
    link->exchange = exchange;
    exchange->link = link;
    exchange->fd = link->fd;
    exchange->watched = link->watched;
}

bool link_take(struct exchange *exchange)
{
    struct worker_network *network = exchange->guest->source->network;
    struct link *link;

    if (list_empty(&network->links))
        return false;
    link = list_owner(network->links.last, struct link, by_network); /* the one used last is the freshest */
    leave_lists(link);
    lend(link, exchange);
    return true;
}

void link_make(struct exchange *exchange, int fd)
{
    struct link *link = pool_take(&links);

    if (!link) { /* then some are idle, for those in use are fewer than there can be */
        discard_idle(list_owner(idle.first, struct link, by_age));
        link = pool_take(&links);
    }
    link->fd = fd;
    link->watched = false;
    link->network = exchange->guest->source->network;
    lend(link, exchange);
}

/* Be told of these events, and no longer of what was asked for before. */
static bool watch(struct link *link, short wanted)
{
    if (link->watched)
        event_del(&link->event);
    event_assign(&link->event, service.base, link->fd, (short)(wanted | EV_PERSIST), on_link, link);
    link->watched = event_add(&link->event, NULL) == 0;
    return link->watched;
}

bool link_watch(struct exchange *exchange, bool writable)
{
    exchange->watched = watch(exchange->link, writable ? EV_READ | EV_WRITE : EV_READ);
    return exchange->watched;
}

void link_unwatch(struct exchange *exchange)
{
    if (exchange->link->watched)
        event_del(&exchange->link->event);
    exchange->link->watched = false;
    exchange->watched = false;
}

void link_leave(struct exchange *exchange, bool keep)
{
    struct link *link = exchange->link;

    exchange->link = NULL;
    exchange->fd = -1;
    exchange->watched = false;
    link->exchange = NULL;
    if (!keep || (!link->watched && !watch(link, EV_READ))) {
        discard(link);
        return;
    }
    link->idle_since = service.now;
    list_append(&link->network->links, &link->by_network);
    list_append(&idle, &link->by_age);
    arm_sweep();
}

void link_close_idle(struct worker_network *network)
{
    while (!list_empty(&network->links))
        discard_idle(list_owner(network->links.first, struct link, by_network));
}

void link_close_all_idle(void)
{
    while (!list_empty(&idle))
        discard_idle(list_owner(idle.first, struct link, by_age));
}
