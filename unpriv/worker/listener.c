/*
 * Listeners. See listener.h.
 */
#include "unpriv/worker/listener.h"

#include "ipc/steps.h"
#include "unpriv/log.h"
#include "unpriv/worker/admission.h"
#include "unpriv/worker/connection.h"
#include "unpriv/worker/memory.h"
#include "unpriv/worker/service.h"

#include <errno.h>
#include <unistd.h>

#define ACCEPTS_AT_ONCE 64 /* then the connections there are have their turn */

struct listener {
    struct event event;
    struct worker_network *network; /* NULL: the slot is free */
    struct list_node by_network;
    int fd;
    struct address address;
};

static struct listener *listeners;
static uint32_t slots;
static uint32_t used_up_to; /* slots behind this one were never used: they are not looked at */
static struct event pause_timer;
static bool started;
static bool failing;                                    /* told in the log already */
static const struct timeval pause_length = {0, 100000}; /* where the system is short of something */

static void on_pause_over(int fd, short what, void *unused)
{
    (void)fd, (void)what, (void)unused;
    if (started && !listener_start())
        event_add(&pause_timer, &pause_length);
}

/* Out of descriptors or memory: stop asking for a moment, as the event would come again at once. */
static void pause_all(int error)
{
    for (uint32_t i = 0; i < used_up_to; i++) {
        if (listeners[i].network)
            event_del(&listeners[i].event);
    }
    event_add(&pause_timer, &pause_length);
    if (failing)
        return;
    failing = true;
    log_line(LOG_SEVERITY_WARNING, "accept-failed");
    log_word("error", errno_name(error));
    log_send();
}

static void recovered(void)
{
    if (!failing)
        return;
    failing = false;
    log_line(LOG_SEVERITY_WARNING, "accept-again");
    log_send();
}

/* @return false where there is nothing more to accept now */
static bool accept_one(struct listener *listener)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof(from);
    struct address address;
    int fd = accept4(listener->fd, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        recovered();
        if (address_from_sockaddr((struct sockaddr *)&from, length, &address))
            admission_open(fd, listener->network, &address);
        else
            close(fd);
        return true;
    }
    switch (errno) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EBADF:
    case EINVAL:
        pause_all(errno);
        return false;
    default: /* the connection failed before it was accepted (accept(2)): on to the next */
        return true;
    }
}

static void on_listener(int fd, short what, void *argument)
{
    struct listener *listener = argument;

    (void)fd, (void)what;
    service_wake();
    for (unsigned i = 0; i < ACCEPTS_AT_ONCE && accept_one(listener); i++)
        ;
    service_settle();
}

bool listener_reserve(uint32_t count)
{
    listeners = memory_reserve(count * sizeof(struct listener));
    slots = count;
    return listeners != NULL;
}

void listener_begin(void)
{
    event_assign(&pause_timer, service.base, -1, 0, on_pause_over, NULL);
}

bool listener_add(unsigned slot, struct worker_network *network, int fd, const struct address *address)
{
    struct listener *listener;

    if (slot >= slots || listeners[slot].network)
        return false;
    if (service.draining) { /* as it would have been closed with the others */
        close(fd);
        return true;
    }
    listener = &listeners[slot];
    listener->network = network;
    listener->fd = fd;
    listener->address = *address;
    list_append(&network->listeners, &listener->by_network);
    if (slot >= used_up_to)
        used_up_to = slot + 1;
    event_assign(&listener->event, service.base, fd, EV_READ | EV_PERSIST, on_listener, listener);
    if (started && event_add(&listener->event, NULL) != 0)
        event_add(&pause_timer, &pause_length); /* which tries again */
    return true;
}

static void remove_one(struct listener *listener)
{
    event_del(&listener->event);
    close(listener->fd);
    list_remove(&listener->network->listeners, &listener->by_network);
    listener->network = NULL;
}

bool listener_remove(unsigned slot)
{
    if (slot >= slots)
        return false;
    if (listeners[slot].network)
        remove_one(&listeners[slot]);
    else if (!service.draining)
        return false;
    return true;
}

void listener_remove_all(struct worker_network *network)
{
    while (!list_empty(&network->listeners))
        remove_one(list_owner(network->listeners.first, struct listener, by_network));
}

bool listener_start(void)
{
    started = true;
    for (uint32_t i = 0; i < used_up_to; i++) {
        if (listeners[i].network && event_add(&listeners[i].event, NULL) != 0)
            return false;
    }
    return true;
}

void listener_stop(void)
{
    started = false;
    event_del(&pause_timer);
    for (uint32_t i = 0; i < used_up_to; i++) {
        if (listeners[i].network)
            remove_one(&listeners[i]);
    }
}
