/*
 * Ambiguity is refused here and never repaired: a field that frames the message comes once, in one form, or
 * the request ends. Names with '_' in place of '-' are other names, so they decide nothing (the rewrite drops
 * them).
 */
#include "unpriv/http/meaning.h"

#include "unpriv/http/authority.h"
#include "unpriv/http/chars.h"
#include "unpriv/http/fields.h"
#include "unpriv/http/method.h"

enum seen {
    SEEN_ABSOLUTE = 1, /* the target had an authority: Host is checked, then ignored */
    SEEN_HOST = 2,
    SEEN_CLOSE = 4,
    SEEN_KEEP_ALIVE = 8,
    SEEN_EXPECT = 16,
};

static const char scheme[] = "http://";

/* Split "http://AUTHORITY[PATH][?QUERY]"; false where it is no such URI. */
static bool take_absolute(struct http_request *request, const char *bytes)
{
    const struct http_span whole = request->target;
    const uint32_t start = whole.at + (uint32_t)sizeof scheme - 1;
    const uint32_t end = (uint32_t)whole.at + whole.length;
    if (end < start || !http_text_is(bytes + whole.at, sizeof scheme - 1, scheme))
        return false;
    uint32_t at = start;
    while (at < end && bytes[at] != '/' && bytes[at] != '?')
        at++;
    if (!http_authority_valid(bytes + start, at - start))
        return false;
    request->authority = (struct http_span){(uint16_t)start, (uint16_t)(at - start)};
    request->target = (struct http_span){(uint16_t)at, (uint16_t)(end - at)};
    request->seen |= SEEN_ABSOLUTE;
    return true;
}

void http_take_target(struct http_request *request, const char *bytes)
{
    const struct http_span target = request->target;
    const struct http_span method = request->method_text;
    const char first = bytes[target.at];
    bool good = true;
    if (first == '*') /* a method that is not ours is refused by http_take_method() */
        good = target.length == 1 && (request->method == HTTP_OPTIONS || request->method == HTTP_OTHER);
    else if (first != '/' && !http_method_is_barred(bytes + method.at, method.length))
        good = take_absolute(request, bytes); /* CONNECT's authority-form passes: 405 is the better answer */
    if (!good)
        http_refuse(request, 400, REASON_TARGET, target.at);
}

void http_take_method(struct http_request *request, const char *bytes, const struct http_limits *limits)
{
    const struct http_span text = request->method_text;
    if (request->method != HTTP_OTHER) {
        if (!(limits->methods & 1U << request->method))
            http_refuse(request, 405, REASON_METHOD_REFUSED, text.at);
    } else if (http_method_is_barred(bytes + text.at, text.length)) {
        http_refuse(request, 405, REASON_METHOD_REFUSED, text.at);
    } else {
        http_refuse(request, 501, REASON_METHOD_UNKNOWN, text.at);
    }
}

/* An empty value is allowed: a client has none for a target without authority (RFC 9112 section 3.2). */
static void take_host(struct http_request *request, const char *bytes, const struct http_field *field)
{
    const struct http_span value = field->value;
    if (request->seen & SEEN_HOST) {
        http_refuse(request, 400, REASON_HOST, field->name.at);
        return;
    }
    request->seen |= SEEN_HOST;
    if (value.length > 0 && !http_authority_valid(bytes + value.at, value.length))
        http_refuse(request, 400, REASON_HOST, value.at);
    else if (!(request->seen & SEEN_ABSOLUTE))
        request->authority = value;
}

static void take_length(struct http_request *request, const char *bytes, const struct http_field *field,
                        const struct http_limits *limits)
{
    const struct http_span value = field->value;
    uint64_t number = 0;
    if (request->chunked)
        http_refuse(request, 400, REASON_LENGTH_AND_CODING, field->name.at);
    else if (request->has_length)
        http_refuse(request, 400, REASON_LENGTH, field->name.at);
    else if (!http_number(bytes + value.at, value.length, &number))
        http_refuse(request, 400, REASON_LENGTH, value.at);
    else if (number > limits->body)
        http_refuse(request, 413, REASON_BODY_LONG, value.at);
    request->has_length = true;
    request->content_length = (uint32_t)number;
}

/* Exactly "chunked". One other coding alone is a coding that we lack (501); any list is refused as a
 * malformed one. */
static void take_coding(struct http_request *request, const char *bytes, const struct http_field *field)
{
    const struct http_span value = field->value;
    const uint32_t end = (uint32_t)value.at + value.length;
    if (request->has_length)
        http_refuse(request, 400, REASON_LENGTH_AND_CODING, field->name.at);
    else if (request->chunked || request->minor == 0)
        http_refuse(request, 400, REASON_CODING, field->name.at);
    else if (value.length == 0 || http_run(bytes, value.at, end, CHAR_TOKEN) != end)
        http_refuse(request, 400, REASON_CODING, value.at);
    else if (!http_text_is(bytes + value.at, value.length, "chunked"))
        http_refuse(request, 501, REASON_CODING_UNKNOWN, value.at);
    request->chunked = true;
}

static void take_connection(struct http_request *request, const char *bytes, const struct http_field *field)
{
    struct http_span rest = field->value, member;
    while (http_list_next(bytes, &rest, &member)) {
        const uint32_t end = (uint32_t)member.at + member.length;
        if (http_run(bytes, member.at, end, CHAR_TOKEN) != end) {
            http_refuse(request, 400, REASON_FIELD, member.at);
            return;
        }
        if (http_text_is(bytes + member.at, member.length, "close"))
            request->seen |= SEEN_CLOSE;
        else if (http_text_is(bytes + member.at, member.length, "keep-alive"))
            request->seen |= SEEN_KEEP_ALIVE;
    }
}

/* HTTP/1.0 knows no 100: the expectation is ignored there (RFC 9110 section 10.1.1). */
static void take_expect(struct http_request *request, const char *bytes, const struct http_field *field)
{
    const struct http_span value = field->value;
    if (request->seen & SEEN_EXPECT)
        http_refuse(request, 417, REASON_EXPECT, field->name.at);
    else if (!http_text_is(bytes + value.at, value.length, "100-continue"))
        http_refuse(request, 417, REASON_EXPECT, value.at);
    request->seen |= SEEN_EXPECT;
    request->expect_continue = request->minor > 0;
}

void http_take_field(struct http_request *request, const char *bytes, const struct http_field *field,
                     const struct http_limits *limits)
{
    switch (field->id) {
    case FIELD_HOST:
        take_host(request, bytes, field);
        break;
    case FIELD_CONTENT_LENGTH:
        take_length(request, bytes, field, limits);
        break;
    case FIELD_TRANSFER_ENCODING:
        take_coding(request, bytes, field);
        break;
    case FIELD_CONNECTION:
        take_connection(request, bytes, field);
        break;
    case FIELD_EXPECT:
        take_expect(request, bytes, field);
        break;
    default:
        break;
    }
}

void http_take_head(struct http_request *request, uint32_t at)
{
    if (request->minor > 0 && !(request->seen & SEEN_HOST))
        http_refuse(request, 400, REASON_HOST, at);
    else if (request->minor > 0)
        request->keep_alive = !(request->seen & SEEN_CLOSE);
    else
        request->keep_alive = (request->seen & (SEEN_CLOSE | SEEN_KEEP_ALIVE)) == SEEN_KEEP_ALIVE;
}
