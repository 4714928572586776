/*
 * Admission and eviction. See admission.h for the theory.
 *
 * It always holds that a source with a parked connection has no idle one and is at its cap. So a place is
 * free for a parked connection exactly when another one of the source ends.
 */
#include "unpriv/worker/admission.h"

#include "unpriv/worker/access_log.h"
#include "unpriv/worker/alarm.h"
#include "unpriv/worker/exchange.h"
#include "unpriv/worker/guest.h"
#include "unpriv/worker/inbound.h"
#include "unpriv/worker/outbound.h"
#include "unpriv/worker/tally.h"

#include <string.h>
#include <unistd.h>

#define SOURCES_TRIED 16 /* in search of one that has something to give up */

static enum source_list list_for(enum guest_state state)
{
    switch (state) {
    case GUEST_PARKED:
        return SOURCE_PARKED;
    case GUEST_LINGERING:
        return SOURCE_LINGERING;
    case GUEST_IDLE:
        return SOURCE_IDLE;
    case GUEST_HEAD:
    case GUEST_BODY:
        return SOURCE_READING;
    default:
        return SOURCE_BUSY;
    }
}

void admission_state(struct connection *connection, enum guest_state state)
{
    enum source_list list = list_for(state);
    struct list *lists = connection->source->connections;

    connection->state = (uint8_t)state;
    if (list == connection->list)
        return;
    list_remove(&lists[connection->list], &connection->by_source);
    list_append(&lists[list], &connection->by_source);
    connection->list = (uint8_t)list;
}

static struct connection *first_in(const struct source *source, enum source_list list)
{
    struct list_node *node = source->connections[list].first;

    return node ? list_owner(node, struct connection, by_source) : NULL;
}

/* The connection that gives way when all is full. */
static struct connection *find_victim(void)
{
    struct source *source = source_biggest(&service.sources);

    for (unsigned i = 0; source && i < SOURCES_TRIED; i++) {
        for (unsigned list = 0; list < SOURCE_BUSY; list++) {
            struct connection *victim = first_in(source, list);

            if (victim)
                return victim;
        }
        source = source_next_biggest(&service.sources, source);
    }
    return NULL;
}

static bool make_room(void)
{
    struct connection *victim;

    if (service.connections.used < service.connections.capacity)
        return true;
    victim = find_victim();
    if (!victim)
        return false;
    tally_refused(victim->source->counters, 0, REASON_EVICTED);
    access_log_evicted(victim);
    admission_close(victim);
    return true;
}

/* The oldest parked connection is served from now on; its deadline stays the one from when it came.
 * @return that one; NULL where there is none, or no place for it */
static struct connection *unpark(struct source *source)
{
    struct connection *parked = first_in(source, SOURCE_PARKED);

    bool closing = service.draining && !service.retiring;

    if (!parked || closing || source->served >= service.settings.max_connections_per_source)
        return NULL;
    source->served++;
    admission_state(parked, GUEST_HEAD);
    return parked;
}

void admission_open(int fd, struct worker_network *network, const struct address *address)
{
    struct source *source = make_room() ? source_join(&service.sources, network, address) : NULL;
    struct connection *connection, *idle;

    if (!source) {
        tally_refused(network->counters, 0, REASON_TABLE_FULL);
        access_log_turned_away(network, address, REASON_TABLE_FULL);
        close(fd);
        return;
    }
    connection = pool_take(&service.connections); /* there is one: make_room() saw to it */
    memset(connection, 0, sizeof(*connection));
    connection->fd = fd;
    connection->source = source;
    connection->list = SOURCE_PARKED;
    list_append(&source->connections[SOURCE_PARKED], &connection->by_source);
    alarm_set(connection, DEADLINE_REQUEST);
    tally_opened(source);
    idle = first_in(source, SOURCE_IDLE);
    if (source->served >= service.settings.max_connections_per_source && idle)
        admission_close(idle); /* and so the new one takes its place */
    else if (unpark(source))
        guest_greet(connection); /* no other was parked, or this one would be still */
}

void admission_close(struct connection *connection)
{
    struct source *source = connection->source;
    struct connection *parked;

    if (connection->exchange)
        exchange_end(connection->exchange);
    inbound_end(connection);
    outbound_end(connection);
    alarm_clear(connection);
    /* Closing takes the descriptor out of epoll's set; libevent, told afterwards, takes its EBADF for just
     * that. */
    close(connection->fd);
    if (connection->watched)
        event_del(&connection->event);
    list_remove(&source->connections[connection->list], &connection->by_source);
    if (connection->list != SOURCE_PARKED)
        source->served--;
    pool_give(&service.connections, connection);
    tally_closed(source);
    parked = source->count > 1 ? unpark(source) : NULL;
    if (parked)
        guest_watch(parked);
    source_leave(&service.sources, source);
}

void admission_remove(struct worker_network *network)
{
    while (!list_empty(&network->sources)) {
        struct source *source = list_owner(network->sources.first, struct source, by_network);
        unsigned list = SOURCE_PARKED; /* before any other one, so that none takes the place of another */

        while (list_empty(&source->connections[list]))
            list++;
        outbound_lost(first_in(source, list), REASON_NETWORK_REMOVED);
    }
}

/* A connection without a complete request; one that lingers is about to end anyway. */
static struct connection *find_idle(void)
{
    static const enum source_list lists[] = {SOURCE_PARKED, SOURCE_IDLE, SOURCE_READING};
    struct source *source = source_biggest(&service.sources);

    for (; source; source = source_next_biggest(&service.sources, source)) {
        for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
            struct connection *idle = first_in(source, lists[i]);

            if (idle)
                return idle;
        }
    }
    return NULL;
}

void admission_drain(void)
{
    struct connection *idle;

    while ((idle = find_idle())) {
        if (inbound_started(idle))
            inbound_refuse(idle, 503, REASON_DRAINING);
        else
            admission_close(idle);
    }
}
