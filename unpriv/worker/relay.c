/*
 * Relaying an answer. See relay.h for the theory.
 */
#include "unpriv/worker/relay.h"

#include "unpriv/worker/agent.h"
#include "unpriv/worker/alarm.h"
#include "unpriv/worker/guest.h"
#include "unpriv/worker/link.h"
#include "unpriv/worker/outbound.h"
#include "unpriv/worker/service.h"
#include "unpriv/worker/upstream.h"

#include <errno.h>
#include <string.h>

#define READS_AT_ONCE 4 /* before others have their turn */

/* An answer that comes while other events are being handled need not be waited for: no registration with
 * epoll, and one turn of the loop less. After so many attempts in vain, only one request in so many has it
 * tried. */
#define VAIN_MOST    8
#define TRIED_ONE_IN 64

static unsigned in_vain;   /* attempts in a row */
static unsigned not_tried; /* requests since the last attempt */

/* What the last read told of the agent's side. */
enum stream { STREAM_FLOWS, STREAM_ENDED, STREAM_BROKEN };

/* What a piece of the body is. */
enum piece { PIECE_MORE, PIECE_LAST, PIECE_CUT, PIECE_BAD };

static void on_agent(int fd, short what, void *argument);

/* @return false where it could not be watched, and the exchange has failed */
static bool watch_agent(struct exchange *exchange)
{
    bool writable = exchange->request_sent < exchange->request_length;

    if (exchange->link) {
        link_watch(exchange, writable);
    } else {
        short wanted = (short)(EV_READ | EV_PERSIST | (writable ? EV_WRITE : 0));

        event_assign(&exchange->event, service.base, exchange->fd, wanted, on_agent, exchange);
        exchange->watched = event_add(&exchange->event, NULL) == 0;
    }
    if (!exchange->watched) {
        relay_fail(exchange, 502, REASON_AGENT_ERROR);
        return false;
    }
    return guest_watch(exchange->guest); /* a new one was not, so far: it may end before its answer comes */
}

static void unwatch_agent(struct exchange *exchange)
{
    if (exchange->link)
        link_unwatch(exchange);
    else if (exchange->watched)
        event_del(&exchange->event);
    exchange->watched = false;
}

static bool worth_trying(void)
{
    if (in_vain >= VAIN_MOST && ++not_tried < TRIED_ONE_IN)
        return false;
    not_tried = 0;
    return true;
}

void relay_begin(struct exchange *exchange)
{
    if (exchange->link) { /* once registered it stays so: waiting for its event costs nothing more */
        if (!exchange->watched || exchange->request_sent < exchange->request_length)
            watch_agent(exchange);
        else
            guest_watch(exchange->guest);
        return;
    }
    if (!worth_trying() || exchange->request_sent < exchange->request_length) {
        watch_agent(exchange);
        return;
    }
    /* As if it were readable, once all that is readable now has been handled. */
    event_assign(&exchange->event, service.base, exchange->fd, EV_READ | EV_PERSIST, on_agent, exchange);
    event_active(&exchange->event, EV_READ, 0);
}

/* The answer is not complete, and nothing of it is here that the guest has not got, but maybe a part of its
 * head: more must come from the agent, and nothing is held until then. May close. */
static void expect_more(struct exchange *exchange)
{
    if (exchange->head_done || exchange->guest->output->head_used == 0)
        outbound_end(exchange->guest);
    alarm_set(exchange->guest, DEADLINE_SERVER);
    if (!exchange->watched)
        watch_agent(exchange);
}

void relay_fail(struct exchange *exchange, uint16_t status, enum http_reason reason)
{
    struct connection *guest = exchange->guest;

    upstream_leave(exchange);
    exchange->reason = (uint8_t)reason;
    if (exchange->head_done) {
        guest->close_next = true;
        outbound_finish(guest);
        return;
    }
    outbound_own(guest, status, exchange->keep_alive && !service.draining, exchange->head_only);
}

/* The body is complete, and the agent has sent `exactly` that. Behind an answer to HEAD that can't be known:
 * the body of an agent that sends one would be the next guest's answer. */
static enum piece last_piece(struct exchange *exchange, bool exactly, enum stream stream)
{
    exchange->clean = exactly && exchange->keeps && !exchange->head_only && stream == STREAM_FLOWS &&
                      exchange->request_sent == exchange->request_length;
    return PIECE_LAST;
}

/* How many of `length` bytes at `at` are body, and what comes after them. Chunks are decoded in place. */
static enum piece take_body(struct exchange *exchange, char *at, size_t *length, enum stream stream)
{
    enum piece if_incomplete = stream == STREAM_FLOWS ? PIECE_MORE : PIECE_CUT;
    size_t got = *length, consumed;

    switch ((enum answer_framing)exchange->framing) {
    case ANSWER_LENGTH:
        if (got > exchange->body_left)
            *length = (size_t)exchange->body_left;
        exchange->body_left -= *length;
        return exchange->body_left == 0 ? last_piece(exchange, *length == got, stream) : if_incomplete;
    case ANSWER_CHUNKED:
        switch (http_chunked_decode(&exchange->chunked, at, got, UINT64_MAX, &consumed, length)) {
        case HTTP_DONE:
            return last_piece(exchange, consumed == got, stream);
        case HTTP_MORE:
            return if_incomplete;
        case HTTP_BAD:
            break;
        }
        return PIECE_BAD;
    case ANSWER_UNTIL_END:
        return stream == STREAM_ENDED ? PIECE_LAST : if_incomplete;
    case ANSWER_NO_BODY:
        break;
    }
    *length = 0;
    return last_piece(exchange, got == 0, stream);
}

/* Write "SIZE CRLF" so that it ends where the data starts. @return where it starts */
static uint32_t chunk_line(struct output *output, uint32_t data, size_t size)
{
    static const char hex[] = "0123456789abcdef";

    output->bytes[--data] = '\n';
    output->bytes[--data] = '\r';
    do {
        output->bytes[--data] = hex[size & 15];
        size >>= 4;
    } while (size > 0);
    return data;
}

/* Frame the body bytes [data, data + length) for the guest, around them; `output` holds them to be sent then.
 */
static void frame(const struct exchange *exchange, struct output *output, uint32_t data, size_t length,
                  bool last)
{
    output->at = data;
    output->end = data + (uint32_t)length;
    if (exchange->relay != RELAY_CHUNKED)
        return;
    if (length > 0) {
        output->at = chunk_line(output, data, length);
        memcpy(output->bytes + output->end, "\r\n", 2);
        output->end += 2;
    }
    if (last) {
        memcpy(output->bytes + output->end, "0\r\n\r\n", 5);
        output->end += 5;
    }
}

/* Send what is framed. May close. @return whether the agent may be read on at once */
static bool send_piece(struct exchange *exchange, enum piece piece)
{
    struct connection *guest = exchange->guest;

    if (piece != PIECE_MORE) {
        if (piece != PIECE_LAST) {
            exchange->reason = piece == PIECE_BAD ? REASON_AGENT_GARBAGE : REASON_AGENT_CUT;
            guest->close_next = true;
        }
        outbound_finish(guest);
        return false;
    }
    switch (outbound_flush(guest)) {
    case OUTBOUND_DONE:
        return true;
    case OUTBOUND_PENDING:
        exchange->wide = false;
        unwatch_agent(exchange);
        alarm_set(guest, DEADLINE_CLIENT);
        guest_watch(guest);
        return false;
    case OUTBOUND_GONE:
        break;
    }
    outbound_lost(guest, REASON_GUEST_GONE);
    return false;
}

static void choose_framing(struct exchange *exchange, const struct http_answer *answer)
{
    static const uint8_t relays[] = {[ANSWER_NO_BODY] = RELAY_NO_BODY,
                                     [ANSWER_LENGTH] = RELAY_LENGTH,
                                     [ANSWER_CHUNKED] = RELAY_CHUNKED,
                                     [ANSWER_UNTIL_END] = RELAY_CHUNKED};

    exchange->framing = answer->framing;
    exchange->relay = relays[answer->framing];
    if (exchange->relay == RELAY_CHUNKED && exchange->minor == 0)
        exchange->relay = RELAY_CLOSE;
    exchange->body_left = answer->content_length;
    exchange->wide = exchange->framing == ANSWER_LENGTH && answer->content_length <= OUTPUT_WIDE;
    http_chunked_begin(&exchange->chunked);
}

/* The agent's head is complete: write the guest's, in front of what there is of the body. May close. */
static bool begin_answer(struct exchange *exchange, enum stream stream)
{
    struct connection *guest = exchange->guest;
    struct output *output = guest->output;
    struct http_answer *answer = &output->answer;
    uint32_t body = OUTPUT_HEADROOM + answer->head_length;
    size_t length = output->head_used - answer->head_length, head;
    enum piece piece;
    bool keep;

    choose_framing(exchange, answer);
    exchange->keeps = exchange->link && http_answer_keeps_open(answer, output->bytes + OUTPUT_HEADROOM);
    keep = exchange->keep_alive && exchange->relay != RELAY_CLOSE && !service.draining &&
           !(guest->ended && !guest->input);
    /* Made before the body is looked at, because the line of a chunk may be written over the old head. */
    head = http_answer_rewrite(answer, output->bytes + OUTPUT_HEADROOM, exchange->relay, exchange->minor,
                               keep, service.scratch, sizeof(service.scratch));
    piece = take_body(exchange, output->bytes + body, &length, stream);
    if (piece != PIECE_BAD)
        frame(exchange, output, body, length, piece == PIECE_LAST);
    if (head == 0 || piece == PIECE_BAD || head > output->at) {
        output->at = output->end;
        relay_fail(exchange, 502, REASON_AGENT_GARBAGE);
        return false;
    }
    output->at -= (uint32_t)head;
    memcpy(output->bytes + output->at, service.scratch, head);
    exchange->head_done = true;
    exchange->status = answer->status;
    if (!keep)
        guest->close_next = true;
    return send_piece(exchange, piece);
}

static bool read_head(struct exchange *exchange, enum stream stream)
{
    struct output *output = exchange->guest->output;

    switch (http_answer_parse(&output->answer, output->bytes + OUTPUT_HEADROOM, output->head_used,
                              stream != STREAM_FLOWS, exchange->head_only)) {
    case HTTP_DONE:
        return begin_answer(exchange, stream);
    case HTTP_MORE:
        if (output->head_used < ANSWER_HEAD_MAX && stream == STREAM_FLOWS)
            return true;
        break;
    case HTTP_BAD:
        break;
    }
    if (output->head_used > 0)
        relay_fail(exchange, 502, REASON_AGENT_GARBAGE);
    else if (upstream_again(exchange))
        outbound_end(exchange->guest);
    else
        relay_fail(exchange, 502, stream == STREAM_BROKEN ? REASON_AGENT_ERROR : REASON_AGENT_SILENT);
    return false;
}

static bool read_body(struct exchange *exchange, size_t length, enum stream stream)
{
    struct output *output = exchange->guest->output;
    enum piece piece = take_body(exchange, output->bytes + OUTPUT_HEADROOM, &length, stream);

    if (piece == PIECE_BAD)
        length = 0;
    frame(exchange, output, OUTPUT_HEADROOM, length, piece == PIECE_LAST);
    return send_piece(exchange, piece);
}

/* Where the next bytes from the agent go. */
static struct output *begin_reading(struct exchange *exchange)
{
    struct output *output = exchange->guest->output;

    if (output && !exchange->head_done)
        return output;
    outbound_end(exchange->guest); /* the guest has taken what was in it */
    output = exchange->wide ? outbound_begin_wide(exchange->guest) : outbound_begin(exchange->guest);
    http_answer_begin(&output->answer);
    return output;
}

/* Read once and pass on. May close. @return whether to try again at once */
static bool relay_once(struct exchange *exchange)
{
    struct output *output = begin_reading(exchange);
    const uint32_t used = exchange->head_done ? 0 : output->head_used;
    const size_t space = output->space - used;
    const bool watched = exchange->watched;
    ssize_t got = recvfrom(exchange->fd, output->bytes + OUTPUT_HEADROOM + used, space, 0, NULL, NULL);
    enum stream stream = STREAM_FLOWS;
    bool go_on;

    if (got < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            if (!watched && !exchange->head_done && in_vain < VAIN_MOST)
                in_vain++;
            expect_more(exchange);
            return false;
        }
        stream = STREAM_BROKEN;
        got = 0;
    } else if (got == 0) {
        stream = STREAM_ENDED;
    }
    if (!watched)
        in_vain = 0;
    if (exchange->head_done) {
        go_on = read_body(exchange, (size_t)got, stream);
    } else {
        output->head_used += (uint32_t)got;
        go_on = read_head(exchange, stream);
    }
    if (go_on && watched && (size_t)got < space) { /* it will be told of what comes next */
        expect_more(exchange);
        return false;
    }
    return go_on;
}

/* Send what is left of the request, if it is writable. @return false where the exchange has failed */
static bool send_rest(struct exchange *exchange, short what)
{
    if (!(what & EV_WRITE) || exchange->request_sent == exchange->request_length)
        return true;
    if (exchange->connecting) {
        if (!upstream_connected(exchange))
            return false;
    } else {
        exchange->request_sent +=
            (uint32_t)agent_send(exchange->fd, exchange->request + exchange->request_sent,
                                 exchange->request_length - exchange->request_sent);
    }
    unwatch_agent(exchange);
    return watch_agent(exchange);
}

/* Read and pass on, as long as the agent has more and it is not others' turn. May close. */
static void relay_some(struct exchange *exchange)
{
    for (unsigned i = 0; i < READS_AT_ONCE; i++) {
        if (!relay_once(exchange))
            return;
    }
    expect_more(exchange);
}

void relay_ready(struct exchange *exchange, short what)
{
    service_wake();
    if (!send_rest(exchange, what))
        what = 0;
    if (what & EV_READ)
        relay_some(exchange);
    service_settle();
}

static void on_agent(int fd, short what, void *argument)
{
    (void)fd;
    relay_ready(argument, what);
}

void relay_resume(struct exchange *exchange)
{
    struct connection *guest = exchange->guest;

    if (!guest_watch(guest))
        return;
    expect_more(exchange);
}
