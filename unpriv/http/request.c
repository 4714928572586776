/*
 * The syntax of a request head as a state machine.
 *
 * Each state has a function that takes a run of bytes, never behind `end`, and leaves `scanned` behind the
 * last byte that it took. The verdict depends on the bytes alone: a function decides on one byte, or on text
 * that ended before it, and never on where the buffer happens to end. Inside a run there is one table look-up
 * a byte.
 */
#include "unpriv/http/request.h"

#include "unpriv/http/chars.h"
#include "unpriv/http/fields.h"
#include "unpriv/http/meaning.h"
#include "unpriv/http/method.h"

#include <string.h>

#define EMPTY_LINES_MAX 4 /* before a request line (RFC 9112 section 2.2 asks for at least one) */

enum state {
    STATE_START,      /* an empty line or a request line */
    STATE_START_LF,   /* behind the CR of an empty line */
    STATE_METHOD,     /* in the method */
    STATE_TARGET,     /* in the target */
    STATE_VERSION,    /* in the version */
    STATE_LINE_CR,    /* behind the version */
    STATE_LINE_LF,    /* behind the CR of the request line */
    STATE_FIELD,      /* at the start of the line behind the request line */
    STATE_NEXT,       /* at the start of a line behind a field's */
    STATE_NAME,       /* in a field's name */
    STATE_VALUE_LEAD, /* in the blanks before a value */
    STATE_VALUE,      /* in a value */
    STATE_VALUE_LF,   /* behind the CR of a field line */
    STATE_END_LF,     /* behind the CR of the empty line */
    STATE_DONE,
    STATE_BAD
};

struct input {
    const char *bytes;
    uint32_t end;      /* nothing from here on may be read now */
    uint32_t line_max; /* bytes of the request line */
    uint32_t fields_max;
    const struct http_limits *limits;
};

static struct http_span span(uint32_t at, uint32_t end)
{
    return (struct http_span){(uint16_t)at, (uint16_t)(end - at)};
}

void http_refuse(struct http_request *request, uint16_t status, enum http_reason reason, uint32_t at)
{
    if (request->state == STATE_BAD)
        return;
    if (request->state == STATE_METHOD)
        request->method_text = span(request->mark, request->scanned);
    else if (request->state == STATE_TARGET && request->target.length == 0)
        request->target = span(request->mark, request->scanned);
    request->state = STATE_BAD;
    request->status = status;
    request->reason = (uint8_t)reason;
    request->bad_at = at;
}

/* Refuse the byte at `scanned`, which no line may hold, or not here: then `otherwise` is the reason. */
static void refuse_byte(struct http_request *request, const struct input *in, enum http_reason otherwise)
{
    const char byte = in->bytes[request->scanned];
    enum http_reason reason = otherwise;
    if (byte == '\n')
        reason = REASON_LINE_END;
    else if (byte != '\r' && !http_char_is(byte, CHAR_VALUE))
        reason = REASON_CONTROL;
    http_refuse(request, 400, reason, request->scanned);
}

static void take_start(struct http_request *request, const struct input *in)
{
    const uint32_t at = request->scanned;
    if (in->bytes[at] != '\r') {
        request->line_start = request->mark = at;
        request->state = STATE_METHOD;
    } else if (at / 2 >= EMPTY_LINES_MAX) {
        http_refuse(request, 400, REASON_REQUEST_LINE, at);
    } else {
        request->scanned++;
        request->state = STATE_START_LF;
    }
}

/* A line feed is due at `scanned`; go on to `next` behind it. */
static bool take_lf(struct http_request *request, const struct input *in, enum state next)
{
    if (in->bytes[request->scanned] != '\n') {
        http_refuse(request, 400, REASON_LINE_END, request->scanned);
        return false;
    }
    request->scanned++;
    request->state = (uint8_t)next;
    return true;
}

/*
 * Take bytes of one class within the request line. True where a byte outside the class ended the run; the
 * limit on the line is met before that byte is looked at.
 */
static bool take_word(struct http_request *request, const struct input *in, unsigned class)
{
    const uint32_t line_end = request->line_start + in->line_max;
    const uint32_t end = in->end < line_end ? in->end : line_end;
    request->scanned = http_run(in->bytes, request->scanned, end, class);
    if (request->scanned < end)
        return true;
    if (request->scanned < in->end)
        http_refuse(request, 414, REASON_LINE_LONG, request->scanned);
    return false;
}

static void take_method_text(struct http_request *request, const struct input *in)
{
    if (!take_word(request, in, CHAR_TOKEN))
        return;
    const uint32_t at = request->scanned;
    const char byte = in->bytes[at];
    if (byte != ' ' || at == request->mark) {
        refuse_byte(request, in, byte == ' ' || byte == '\r' ? REASON_REQUEST_LINE : REASON_METHOD);
        return;
    }
    request->method_text = span(request->mark, at);
    request->method = (uint8_t)http_method_find(in->bytes + request->mark, at - request->mark);
    request->mark = request->scanned = at + 1;
    request->state = STATE_TARGET;
}

static void take_target_text(struct http_request *request, const struct input *in)
{
    if (!take_word(request, in, CHAR_TARGET))
        return;
    const uint32_t at = request->scanned;
    const char byte = in->bytes[at];
    if (byte != ' ' || at == request->mark) {
        refuse_byte(request, in, byte == ' ' || byte == '\r' ? REASON_REQUEST_LINE : REASON_TARGET);
        return;
    }
    request->target = span(request->mark, at);
    http_take_target(request, in->bytes);
    if (request->state == STATE_BAD)
        return;
    request->mark = request->scanned = at + 1;
    request->state = STATE_VERSION;
}

/* One byte of "HTTP/1.x"; `mark` is where it starts. */
static void take_version_byte(struct http_request *request, const struct input *in)
{
    static const char pattern[] = "HTTP/1.x";
    const uint32_t i = request->scanned - request->mark;
    const char byte = in->bytes[request->scanned];
    const bool digit = http_char_is(byte, CHAR_DIGIT);
    if (request->scanned - request->line_start >= in->line_max) {
        http_refuse(request, 414, REASON_LINE_LONG, request->scanned);
    } else if (i == 5 && digit && byte != '1') {
        http_refuse(request, 505, REASON_VERSION, request->scanned);
    } else if (i == 7 ? !digit : byte != pattern[i]) {
        refuse_byte(request, in, REASON_VERSION);
    } else {
        request->scanned++;
        if (i == 7) {
            request->minor = byte != '0';
            request->state = STATE_LINE_CR;
        }
    }
}

static void take_version(struct http_request *request, const struct input *in)
{
    static const char usual[] = "HTTP/1.1\r\n"; /* a short cut to the same result */
    const uint32_t at = request->mark;
    if (request->scanned != at || in->end - at < sizeof usual - 1 ||
        at + 8 - request->line_start > in->line_max || memcmp(in->bytes + at, usual, sizeof usual - 1) != 0) {
        take_version_byte(request, in);
        return;
    }
    request->minor = 1;
    request->scanned = at + (uint32_t)sizeof usual - 1;
    request->state = STATE_FIELD;
    http_take_method(request, in->bytes, in->limits);
}

static void take_line_cr(struct http_request *request, const struct input *in)
{
    const char byte = in->bytes[request->scanned];
    if (byte == '\r') {
        request->scanned++;
        request->state = STATE_LINE_LF;
    } else if (request->scanned - request->line_start >= in->line_max) {
        http_refuse(request, 414, REASON_LINE_LONG, request->scanned);
    } else {
        refuse_byte(request, in, http_char_is(byte, CHAR_BLANK) ? REASON_REQUEST_LINE : REASON_VERSION);
    }
}

static void take_line_lf(struct http_request *request, const struct input *in)
{
    if (take_lf(request, in, STATE_FIELD))
        http_take_method(request, in->bytes, in->limits);
}

static void take_line_start(struct http_request *request, const struct input *in)
{
    const char byte = in->bytes[request->scanned];
    if (byte == '\r') {
        request->scanned++;
        request->state = STATE_END_LF;
    } else if (!http_char_is(byte, CHAR_TOKEN)) {
        refuse_byte(request, in, http_char_is(byte, CHAR_BLANK) ? REASON_FOLDED : REASON_FIELD);
    } else if (request->field_count >= in->fields_max) {
        http_refuse(request, 431, REASON_FIELDS_MANY, request->scanned);
    } else {
        request->mark = request->scanned;
        request->state = STATE_NAME;
    }
}

static void take_name(struct http_request *request, const struct input *in)
{
    const uint32_t at = http_run(in->bytes, request->scanned, in->end, CHAR_TOKEN);
    request->scanned = at;
    if (at == in->end)
        return;
    if (in->bytes[at] != ':') {
        refuse_byte(request, in, REASON_FIELD);
        return;
    }
    struct http_field *field = &request->fields[request->field_count];
    field->name = span(request->mark, at);
    field->id = (uint8_t)http_field_identify(in->bytes + request->mark, at - request->mark);
    request->scanned = at + 1;
    request->state = STATE_VALUE_LEAD;
}

static void take_value_lead(struct http_request *request, const struct input *in)
{
    request->mark = request->scanned = http_run(in->bytes, request->scanned, in->end, CHAR_BLANK);
    if (request->scanned < in->end)
        request->state = STATE_VALUE;
}

static void take_value(struct http_request *request, const struct input *in)
{
    const uint32_t at = http_run(in->bytes, request->scanned, in->end, CHAR_VALUE);
    request->scanned = at;
    if (at == in->end)
        return;
    if (in->bytes[at] != '\r') {
        refuse_byte(request, in, REASON_FIELD);
        return;
    }
    request->fields[request->field_count].value = http_trim(in->bytes, request->mark, at);
    request->scanned = at + 1;
    request->state = STATE_VALUE_LF;
}

static void take_value_lf(struct http_request *request, const struct input *in)
{
    if (take_lf(request, in, STATE_NEXT))
        request->field_count++;
}

/* A field's value is whole when the next line's first byte does not continue it: folding is never 413 or 501.
 */
static void take_next(struct http_request *request, const struct input *in)
{
    if (!http_char_is(in->bytes[request->scanned], CHAR_BLANK))
        http_take_field(request, in->bytes, &request->fields[request->field_count - 1], in->limits);
    if (request->state != STATE_BAD)
        take_line_start(request, in);
}

static void take_end_lf(struct http_request *request, const struct input *in)
{
    if (!take_lf(request, in, STATE_DONE))
        return;
    request->head_length = request->scanned;
    http_take_head(request, request->scanned - 1);
}

static void step(struct http_request *request, const struct input *in)
{
    switch ((enum state)request->state) {
    case STATE_START:
        take_start(request, in);
        break;
    case STATE_START_LF:
        take_lf(request, in, STATE_START);
        break;
    case STATE_METHOD:
        take_method_text(request, in);
        break;
    case STATE_TARGET:
        take_target_text(request, in);
        break;
    case STATE_VERSION:
        take_version(request, in);
        break;
    case STATE_LINE_CR:
        take_line_cr(request, in);
        break;
    case STATE_LINE_LF:
        take_line_lf(request, in);
        break;
    case STATE_FIELD:
        take_line_start(request, in);
        break;
    case STATE_NEXT:
        take_next(request, in);
        break;
    case STATE_NAME:
        take_name(request, in);
        break;
    case STATE_VALUE_LEAD:
        take_value_lead(request, in);
        break;
    case STATE_VALUE:
        take_value(request, in);
        break;
    case STATE_VALUE_LF:
        take_value_lf(request, in);
        break;
    case STATE_END_LF:
        take_end_lf(request, in);
        break;
    case STATE_DONE:
    case STATE_BAD:
        break;
    }
}

void http_request_begin(struct http_request *request)
{
    memset(request, 0, offsetof(struct http_request, fields));
    request->method = HTTP_OTHER;
    request->minor = 1;
    request->status = 0;
    request->reason = REASON_NONE;
    request->bad_at = 0;
    request->line_start = request->scanned = request->mark = 0;
    request->state = STATE_START;
    request->seen = 0;
}

enum http_verdict http_request_parse(struct http_request *request, const char *bytes, size_t length,
                                     const struct http_limits *limits)
{
    const uint32_t head_max = limits->head < UINT16_MAX ? limits->head : UINT16_MAX;
    const struct input in = {
        .bytes = bytes,
        .end = length < head_max ? (uint32_t)length : head_max,
        .line_max = limits->line < UINT16_MAX ? limits->line : UINT16_MAX,
        .fields_max = limits->fields < HTTP_FIELDS_CAP ? limits->fields : HTTP_FIELDS_CAP,
        .limits = limits,
    };
    while (request->state < STATE_DONE && request->scanned < in.end)
        step(request, &in);
    if (request->state < STATE_DONE && length > head_max)
        http_refuse(request, 431, REASON_HEAD_LONG, head_max);
    if (request->state < STATE_DONE)
        return HTTP_MORE;
    return request->state == STATE_DONE ? HTTP_DONE : HTTP_BAD;
}
