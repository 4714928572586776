/*
 * Requests coming in. See inbound.h for the theory.
 */
#include "unpriv/worker/inbound.h"

#include "unpriv/http/rewrite.h"
#include "unpriv/worker/access_log.h"
#include "unpriv/worker/admission.h"
#include "unpriv/worker/alarm.h"
#include "unpriv/worker/exchange.h"
#include "unpriv/worker/guest.h"
#include "unpriv/worker/outbound.h"
#include "unpriv/worker/own_path.h"
#include "unpriv/worker/tally.h"
#include "unpriv/worker/upstream.h"

#include <string.h>

#define PARSED_MOST 65535 /* the parser's bound on what it is shown; no head is that long */

void inbound_begin(struct connection *connection)
{
    struct input *input;

    if (connection->input)
        return;
    input = pool_take(&service.inputs); /* as many as connections */
    input->used = 0;
    http_request_begin(&input->request);
    connection->input = input;
}

void inbound_end(struct connection *connection)
{
    if (!connection->input)
        return;
    pool_give(&service.inputs, connection->input);
    connection->input = NULL;
}

size_t inbound_room(const struct connection *connection)
{
    return service.input_space - connection->input->used;
}

bool inbound_started(const struct connection *connection)
{
    const struct input *input = connection->input;

    if (!input)
        return false;
    for (uint32_t i = 0; i < input->used; i++) {
        if (input->bytes[i] != '\r' && input->bytes[i] != '\n')
            return true;
    }
    return false;
}

static void tell_refused(const struct connection *connection, uint16_t status, enum http_reason reason)
{
    tally_refused(connection->source->counters, status, reason);
    access_log_refused(connection, status, reason);
}

void inbound_refuse(struct connection *connection, uint16_t status, enum http_reason reason)
{
    bool head_only = connection->input && connection->input->request.method == HTTP_HEAD;

    tell_refused(connection, status, reason);
    inbound_end(connection);
    connection->refused = true;
    outbound_own(connection, status, false, head_only);
}

void inbound_cut(struct connection *connection)
{
    if (inbound_started(connection))
        inbound_refuse(connection, 400, REASON_CUT);
    else
        admission_close(connection);
}

/* Drop the bytes of a complete request; what was sent behind it moves to the front. May close: @return false
 * then */
static bool consume(struct connection *connection, uint32_t length)
{
    struct input *input = connection->input;

    input->used -= length;
    if (input->used > 0) {
        memmove(input->bytes, input->bytes + length, input->used);
        http_request_begin(&input->request);
    } else {
        inbound_end(connection);
    }
    if (!connection->full)
        return true;
    connection->full = false;
    return guest_watch(connection);
}

/* @return the status of a refusal, 0 where the request has been written */
static uint16_t rewrite(struct exchange *exchange, const struct input *input, const char *body,
                        uint32_t length)
{
    uint32_t space = service.settings.max_upstream_request;
    const struct source *source = exchange->guest->source;
    struct rewrite_from from = {.network = &source->network->given, .guest = source->text};
    size_t head;

    if (from.network->identity == IDENTITY_INSTANCE) {
        from.instance = instance_table_find(&service.instances, &source->address);
        if (!from.instance)
            return 503;
    }
    head = http_rewrite(&input->request, input->bytes, &service.settings, &from, length, exchange->request,
                        space);
    if (head == 0)
        return 431;
    if (length > space - head)
        return 413;
    if (length > 0)
        memcpy(exchange->request + head, body, length);
    exchange->request_length = (uint32_t)head + length;
    return 0;
}

/* Why rewrite() and fits() refuse. */
static enum http_reason reason_for(uint16_t status)
{
    return status == 503 ? REASON_GUEST_UNKNOWN : REASON_UPSTREAM_LONG;
}

/* All of a request is there, its body of `length` bytes behind its head. May close. */
static void complete(struct connection *connection, uint32_t length)
{
    struct input *input = connection->input;
    struct exchange *exchange = exchange_begin(connection);
    uint32_t body = input->request.head_length;
    uint16_t status = rewrite(exchange, input, input->bytes + body, length);

    if (status != 0) {
        exchange_drop(exchange);
        inbound_refuse(connection, status, reason_for(status));
        return;
    }
    exchange->minor = input->request.minor;
    exchange->head_only = input->request.method == HTTP_HEAD;
    exchange->safe = exchange->head_only || input->request.method == HTTP_GET;
    exchange->keep_alive = input->request.keep_alive;
    if (consume(connection, body + length))
        upstream_queue(connection);
}

/* Would the request fit at all, its body of the announced length with it? Refused early, it need not be sent.
 */
static uint16_t fits(struct connection *connection)
{
    const struct http_request *request = &connection->input->request;
    struct exchange *exchange;
    uint16_t status;

    if (request->chunked)
        return 0;
    exchange = exchange_begin(connection);
    status = rewrite(exchange, connection->input, NULL, 0);
    if (status == 0 &&
        request->content_length > service.settings.max_upstream_request - exchange->request_length)
        status = 413;
    exchange_drop(exchange);
    return status;
}

/* @return whether the body is complete; otherwise it is refused (and the connection may be closed), or needs
 * more */
static enum http_verdict read_body(struct connection *connection)
{
    struct input *input = connection->input;
    uint32_t start = input->request.head_length, done = start + input->body;
    size_t consumed, decoded;
    enum http_verdict verdict;

    if (!input->request.chunked)
        return input->used - start >= input->request.content_length ? HTTP_DONE : HTTP_MORE;
    verdict = http_chunked_decode(&input->chunked, input->bytes + done, input->used - done,
                                  service.limits.body, &consumed, &decoded);
    if (verdict == HTTP_BAD) {
        inbound_refuse(connection, input->chunked.status, input->chunked.reason);
        return verdict;
    }
    input->body += (uint32_t)decoded;
    /* What is behind the body (of the next request) moves up to it. */
    memmove(input->bytes + done + decoded, input->bytes + done + consumed, input->used - done - consumed);
    input->used -= (uint32_t)(consumed - decoded);
    return verdict;
}

static void go_on_with_body(struct connection *connection)
{
    const struct input *input = connection->input;

    switch (read_body(connection)) {
    case HTTP_DONE:
        complete(connection, input->request.chunked ? input->body : input->request.content_length);
        break;
    case HTTP_MORE:
        if (connection->ended)
            inbound_cut(connection);
        else
            guest_watch(connection);
        break;
    case HTTP_BAD:
        break;
    }
}

/* Answer a request whose head is there. Where its body is there too, the guest may go on with the next one.
 * May close. */
static void answer_here(struct connection *connection, uint16_t status, uint32_t retry_after_s)
{
    const struct http_request *request = &connection->input->request;
    const uint32_t here = connection->input->used - request->head_length;
    const bool head_only = request->method == HTTP_HEAD;
    const bool goes_on =
        request->keep_alive && !service.draining && !request->chunked && request->content_length <= here;

    if (!goes_on) {
        inbound_end(connection);
        connection->refused = true;
    } else if (!consume(connection, request->head_length + request->content_length)) {
        return;
    }
    if (status == 429)
        outbound_limited(connection, retry_after_s, goes_on, head_only);
    else
        outbound_own(connection, status, goes_on, head_only);
}

/* Requests that are the worker's own to answer. Whoever watches the proxy is no guest: nothing is logged, and
 * no rate counted. @return false where it was answered, and maybe closed */
static bool is_for_agent(struct connection *connection)
{
    const struct http_request *request = &connection->input->request;
    const char *target = connection->input->bytes + request->target.at;
    const bool asks = request->method == HTTP_GET || request->method == HTTP_HEAD;

    switch (own_path_of(&service.settings, target, request->target.length)) {
    case OWN_MONITOR:
        if (asks)
            answer_here(connection, 200, 0);
        return !asks;
    case OWN_STATS:
        tell_refused(connection, 403, REASON_STATS);
        answer_here(connection, 403, 0);
        return false;
    default:
        return true;
    }
}

/* Count the request whose head is there. @return false where it was refused, and maybe closed */
static bool within_rate(struct connection *connection)
{
    const struct source *source = connection->source;
    struct rate_excess excess;

    if (rate_count(&service.rates, &source->network->rates, &source->address, service.now, &excess))
        return true;
    tally_beyond_rate(source);
    if (!source->network->given.rate_shadow) {
        tell_refused(connection, 429, REASON_RATE_LIMITED);
        answer_here(connection, 429, excess.retry_after_s);
        return false;
    }
    if (excess.tell)
        access_log_beyond_rate(connection, &excess);
    return true;
}

/* The head is good and announces a body. May close. */
static void begin_body(struct connection *connection)
{
    struct input *input = connection->input;
    bool nothing_yet = input->used == input->request.head_length;
    uint16_t status = fits(connection);

    if (status != 0) {
        inbound_refuse(connection, status, reason_for(status));
        return;
    }
    input->body = 0;
    if (input->request.chunked)
        http_chunked_begin(&input->chunked);
    admission_state(connection, GUEST_BODY);
    alarm_set(connection, DEADLINE_REQUEST);
    if (input->request.expect_continue && nothing_yet && !connection->ended && !outbound_continue(connection))
        return;
    go_on_with_body(connection);
}

void inbound_process(struct connection *connection)
{
    struct input *input = connection->input;
    struct http_request *request = &input->request;
    size_t shown = input->used < PARSED_MOST ? input->used : PARSED_MOST;

    if (connection->state == GUEST_BODY) {
        go_on_with_body(connection);
        return;
    }
    switch (http_request_parse(request, input->bytes, shown, &service.limits)) {
    case HTTP_DONE:
        tally_head(connection->source, request, input->bytes);
        if (!is_for_agent(connection) || !within_rate(connection))
            break;
        if (request->chunked || request->content_length > 0)
            begin_body(connection);
        else
            complete(connection, 0);
        break;
    case HTTP_BAD:
        inbound_refuse(connection, request->status, request->reason);
        break;
    case HTTP_MORE:
        if (connection->ended)
            inbound_cut(connection);
        else
            guest_watch(connection);
        break;
    }
}
