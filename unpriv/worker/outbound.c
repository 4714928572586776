/*
 * Bytes towards the guest. See outbound.h for the theory.
 */
#include "unpriv/worker/outbound.h"

#include "unpriv/worker/admission.h"
#include "unpriv/worker/alarm.h"
#include "unpriv/worker/exchange.h"
#include "unpriv/worker/guest.h"
#include "unpriv/worker/inbound.h"
#include "unpriv/worker/upstream.h"

#include <errno.h>
#include <string.h>

#define RETRY_SOON_S     1      /* Retry-After of a 503 */
#define THROWN_AWAY_MOST 262144 /* bytes that a refused guest may go on sending */

static struct output *lend(struct connection *connection, struct output *output, uint32_t space)
{
    output->at = 0;
    output->end = 0;
    output->head_used = 0;
    output->space = space;
    connection->output = output;
    return output;
}

struct output *outbound_begin(struct connection *connection)
{
    if (connection->output)
        return connection->output;
    return lend(connection, pool_take(&service.outputs), OUTPUT_SPACE); /* as many as connections */
}

struct output *outbound_begin_wide(struct connection *connection)
{
    struct output *wide = connection->output ? NULL : pool_take(&service.wide_outputs);

    return wide ? lend(connection, wide, OUTPUT_WIDE) : outbound_begin(connection);
}

void outbound_end(struct connection *connection)
{
    struct output *output = connection->output;

    if (output)
        pool_give(output->space == OUTPUT_WIDE ? &service.wide_outputs : &service.outputs, output);
    connection->output = NULL;
}

bool outbound_pending(const struct connection *connection)
{
    return connection->output && connection->output->at < connection->output->end;
}

enum outbound_result outbound_flush(struct connection *connection)
{
    struct output *output = connection->output;
    ssize_t sent;

    if (!outbound_pending(connection))
        return OUTBOUND_DONE;
    sent = sendto(connection->fd, output->bytes + output->at, output->end - output->at,
                  MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? OUTBOUND_PENDING : OUTBOUND_GONE;
    output->at += (uint32_t)sent;
    if (connection->exchange)
        connection->exchange->bytes += (uint64_t)sent;
    return output->at == output->end ? OUTBOUND_DONE : OUTBOUND_PENDING;
}

bool outbound_continue(struct connection *connection)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    ssize_t length = (ssize_t)sizeof(line) - 1;

    if (sendto(connection->fd, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0) == length)
        return true;
    /* Gone, or it reads so little of its earlier answers that not even this fits. */
    outbound_lost(connection, REASON_GUEST_GONE);
    return false;
}

/* What is in the output buffer goes out when the guest takes it. */
static void wait_for_guest(struct connection *connection)
{
    if (connection->exchange)
        upstream_leave(connection->exchange);
    admission_state(connection, GUEST_FLUSHING);
    alarm_set(connection, DEADLINE_CLIENT);
    guest_watch(connection);
}

static void answer_own(struct connection *connection, uint16_t status, uint32_t retry_after_s,
                       bool keep_alive, bool head_only)
{
    struct output *output = outbound_begin(connection);

    output->at = 0;
    output->end = (uint32_t)http_answer_own(status, service.settings.methods, retry_after_s, keep_alive,
                                            head_only, output->bytes, OUTPUT_HEADROOM + output->space);
    if (!keep_alive)
        connection->close_next = true;
    if (connection->exchange)
        connection->exchange->status = status;
    /* A request behind it may be answered in the same way: others have their turn first. */
    if (keep_alive && connection->input)
        wait_for_guest(connection);
    else
        outbound_finish(connection);
}

void outbound_own(struct connection *connection, uint16_t status, bool keep_alive, bool head_only)
{
    answer_own(connection, status, RETRY_SOON_S, keep_alive, head_only);
}

void outbound_limited(struct connection *connection, uint32_t retry_after_s, bool keep_alive, bool head_only)
{
    answer_own(connection, 429, retry_after_s, keep_alive, head_only);
}

void outbound_finish(struct connection *connection)
{
    switch (outbound_flush(connection)) {
    case OUTBOUND_DONE:
        outbound_after(connection);
        break;
    case OUTBOUND_PENDING:
        wait_for_guest(connection);
        break;
    case OUTBOUND_GONE:
        outbound_lost(connection, REASON_GUEST_GONE);
        break;
    }
}

/* The last answer is out. May bytes still come that would turn our closing into a reset? */
static void close_or_linger(struct connection *connection)
{
    bool may_send = (connection->refused || connection->input) && !connection->ended;

    inbound_end(connection);
    if (!may_send || shutdown(connection->fd, SHUT_WR) != 0) {
        admission_close(connection);
        return;
    }
    connection->refused = true;
    connection->full = false;
    admission_state(connection, GUEST_LINGERING);
    alarm_set(connection, DEADLINE_LINGER);
    guest_watch(connection);
}

void outbound_after(struct connection *connection)
{
    if (connection->exchange)
        exchange_end(connection->exchange);
    outbound_end(connection);
    if (connection->close_next) {
        close_or_linger(connection);
    } else if (connection->input) {
        admission_state(connection, GUEST_HEAD);
        alarm_set(connection, DEADLINE_REQUEST);
        if (guest_watch(connection))
            inbound_process(connection);
    } else if (connection->ended || (service.draining && !service.retiring) ||
               !list_empty(&connection->source->connections[SOURCE_PARKED])) {
        admission_close(connection);
    } else {
        admission_state(connection, GUEST_IDLE);
        alarm_set(connection, DEADLINE_KEEP_ALIVE);
        guest_watch(connection);
    }
}

void outbound_lost(struct connection *connection, enum http_reason reason)
{
    if (connection->exchange && connection->exchange->reason == REASON_NONE)
        connection->exchange->reason = (uint8_t)reason;
    admission_close(connection);
}

void outbound_throw_away(struct connection *connection)
{
    ssize_t got = recvfrom(connection->fd, service.scratch, sizeof(service.scratch), 0, NULL, NULL);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0) {
        connection->thrown_away += (uint32_t)got;
        if (connection->thrown_away <= THROWN_AWAY_MOST)
            return;
    }
    /* While its answer is not out yet, the end of what it sends is no reason to drop it. */
    if (got == 0 && connection->state != GUEST_LINGERING) {
        connection->ended = true;
        guest_watch(connection);
        return;
    }
    admission_close(connection);
}
