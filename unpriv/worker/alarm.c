/*
 * The timer over all deadlines. See alarm.h for the theory.
 */
#include "unpriv/worker/alarm.h"

#include "unpriv/worker/guest.h"
#include "unpriv/worker/service.h"

#define LINGER_MS 2000

static struct event timer;
static uint64_t armed_for = DEADLINE_NEVER;

static void arm(uint64_t at)
{
    uint64_t wait = at > service.now ? at - service.now : 0;
    struct timeval interval = {(time_t)(wait / 1000), (suseconds_t)(wait % 1000 * 1000)};

    /* It can fail only for want of memory in a heap that has room for this timer since it was first armed. */
    armed_for = event_add(&timer, &interval) == 0 ? at : DEADLINE_NEVER;
}

static void on_timer(int fd, short what, void *unused)
{
    struct deadline *deadline;
    uint64_t earliest;

    (void)fd, (void)what, (void)unused;
    service_wake();
    armed_for = DEADLINE_NEVER;
    while ((deadline = deadlines_expired(&service.deadlines, service.now)))
        guest_expired(list_owner(deadline, struct connection, deadline), deadline->kind);
    earliest = deadlines_earliest(&service.deadlines);
    if (earliest < armed_for)
        arm(earliest);
    service_settle();
}

void alarm_begin(void)
{
    const struct settings *settings = &service.settings;

    service.deadlines.duration[DEADLINE_REQUEST] = settings->timeout_http_request;
    service.deadlines.duration[DEADLINE_KEEP_ALIVE] = settings->timeout_http_keep_alive;
    service.deadlines.duration[DEADLINE_CLIENT] = settings->timeout_client;
    service.deadlines.duration[DEADLINE_CONNECT] = settings->timeout_connect;
    service.deadlines.duration[DEADLINE_SERVER] = settings->timeout_server;
    service.deadlines.duration[DEADLINE_LINGER] = LINGER_MS;
    event_assign(&timer, service.base, -1, 0, on_timer, NULL);
}

void alarm_set(struct connection *connection, enum deadline_kind kind)
{
    deadlines_set(&service.deadlines, &connection->deadline, kind, service.now);
    if (connection->deadline.at < armed_for)
        arm(connection->deadline.at);
}

void alarm_clear(struct connection *connection)
{
    deadlines_clear(&service.deadlines, &connection->deadline);
}
