/*
 * The guest's socket. See guest.h for the theory.
 */
#include "unpriv/worker/guest.h"

#include "unpriv/worker/access_log.h"
#include "unpriv/worker/admission.h"
#include "unpriv/worker/alarm.h"
#include "unpriv/worker/inbound.h"
#include "unpriv/worker/outbound.h"
#include "unpriv/worker/relay.h"
#include "unpriv/worker/service.h"
#include "unpriv/worker/tally.h"

#include <errno.h>

static bool is_reading(const struct connection *connection)
{
    return connection->state == GUEST_HEAD || connection->state == GUEST_BODY;
}

/* Bytes were sent, or not. May close. */
static void on_flushed(struct connection *connection, enum outbound_result result)
{
    switch (result) {
    case OUTBOUND_GONE:
        outbound_lost(connection, REASON_GUEST_GONE);
        break;
    case OUTBOUND_PENDING:
        alarm_set(connection, DEADLINE_CLIENT);
        break;
    case OUTBOUND_DONE:
        if (connection->state == GUEST_FLUSHING)
            outbound_after(connection);
        else if (connection->exchange)
            relay_resume(connection->exchange);
        break;
    }
}

/* The guest sends nothing more. What it asked for it still gets. May close. */
static void on_end(struct connection *connection)
{
    connection->ended = true;
    switch ((enum guest_state)connection->state) {
    case GUEST_IDLE:
        admission_close(connection);
        break;
    case GUEST_HEAD:
    case GUEST_BODY:
        inbound_cut(connection);
        break;
    default:
        guest_watch(connection);
        break;
    }
}

static void on_bytes(struct connection *connection, size_t length)
{
    connection->input->used += (uint32_t)length;
    if (connection->state == GUEST_IDLE) {
        admission_state(connection, GUEST_HEAD);
        alarm_set(connection, DEADLINE_REQUEST);
    }
    if (is_reading(connection)) {
        inbound_process(connection);
    } else if (inbound_room(connection) == 0) {
        connection->full = true;
        guest_watch(connection);
    }
}

static void on_readable(struct connection *connection)
{
    struct input *input;
    ssize_t got;

    if (connection->refused) {
        outbound_throw_away(connection);
        return;
    }
    inbound_begin(connection);
    input = connection->input;
    got = recvfrom(connection->fd, input->bytes + input->used, inbound_room(connection), 0, NULL, NULL);
    if (got > 0) {
        on_bytes(connection, (size_t)got);
        return;
    }
    if (input->used == 0)
        inbound_end(connection);
    if (got == 0)
        on_end(connection);
    else if (errno == EAGAIN || errno == EINTR)
        guest_watch(connection);
    else
        outbound_lost(connection, REASON_GUEST_GONE);
}

void guest_greet(struct connection *connection)
{
    on_readable(connection);
}

static void on_guest(int fd, short what, void *argument)
{
    struct connection *connection = argument;

    (void)fd;
    service_wake();
    /* What is readable as well is reported again. */
    if ((what & EV_WRITE) && outbound_pending(connection))
        on_flushed(connection, outbound_flush(connection));
    else if (what & EV_READ)
        on_readable(connection);
    service_settle();
}

bool guest_watch(struct connection *connection)
{
    short wanted = 0;

    if (!connection->ended && !connection->full && connection->state != GUEST_PARKED)
        wanted |= EV_READ;
    if (outbound_pending(connection))
        wanted |= EV_WRITE;
    if (wanted == connection->watched)
        return true;
    if (connection->watched)
        event_del(&connection->event);
    connection->watched = wanted;
    if (wanted == 0)
        return true;
    event_assign(&connection->event, service.base, connection->fd, (short)(wanted | EV_PERSIST), on_guest,
                 connection);
    if (event_add(&connection->event, NULL) == 0)
        return true;
    connection->watched = 0;
    outbound_lost(connection, REASON_TABLE_FULL);
    return false;
}

/* The kernel reports room only when much of its buffer is free. A guest that reads little by little has made
 * some, so it is tried before the guest is given up. */
static void on_slow_guest(struct connection *connection)
{
    const struct output *output = connection->output;
    uint32_t before = output ? output->at : 0;
    enum outbound_result result = outbound_flush(connection);

    if (result == OUTBOUND_PENDING && output && output->at == before)
        outbound_lost(connection, REASON_GUEST_SLOW);
    else
        on_flushed(connection, result);
}

/* Nothing is said to a guest that has said nothing, or whose words were never read. */
static void on_slow_request(struct connection *connection)
{
    if (connection->state == GUEST_BODY) {
        inbound_refuse(connection, 408, REASON_BODY_SLOW);
    } else if (inbound_started(connection)) {
        inbound_refuse(connection, 408, REASON_HEAD_SLOW);
    } else {
        if (connection->state == GUEST_PARKED) {
            tally_refused(connection->source->counters, 0, REASON_TABLE_FULL);
            access_log_turned_away(connection->source->network, &connection->source->address,
                                   REASON_TABLE_FULL);
        }
        admission_close(connection);
    }
}

void guest_expired(struct connection *connection, enum deadline_kind kind)
{
    switch (kind) {
    case DEADLINE_REQUEST:
        on_slow_request(connection);
        break;
    case DEADLINE_CLIENT:
        on_slow_guest(connection);
        break;
    case DEADLINE_CONNECT:
        relay_fail(connection->exchange, 503, REASON_AGENT_BUSY);
        break;
    case DEADLINE_SERVER:
        relay_fail(connection->exchange, 504, REASON_AGENT_SLOW);
        break;
    default:
        admission_close(connection);
        break;
    }
}
