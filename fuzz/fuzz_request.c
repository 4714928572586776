/*
 * The request parser: spans in range, results that hold together, and the same verdict wherever the input is
 * cut.
 */
#include "fuzz/check.h"
#include "unpriv/http/request.h"

#include <string.h>

static const struct http_limits choices[] = {
    {.line = 2048, .head = 8192, .fields = 64, .body = 3072, .methods = 0x7F},
    {.line = 64, .head = 256, .fields = 3, .body = 0, .methods = 0x01},
    {.line = 16384, .head = 32768, .fields = 128, .body = 65536, .methods = 0x7F},
    {.line = 24, .head = 48, .fields = 1, .body = 9, .methods = 0x03},
};

static void check_span(struct http_span span, size_t length)
{
    CHECK((size_t)span.at + span.length <= length);
}

static void check_text(const char *bytes, struct http_span span)
{
    for (unsigned i = 0; i < span.length; i++)
        CHECK(bytes[span.at + i] != '\r' && bytes[span.at + i] != '\n' && bytes[span.at + i] != '\0');
}

static void check_good(const struct http_request *request, const char *bytes, size_t length,
                       const struct http_limits *limits)
{
    CHECK(request->head_length <= length && request->head_length <= limits->head);
    CHECK(memcmp(bytes + request->head_length - 4, "\r\n\r\n", 4) == 0);
    CHECK(request->method < HTTP_METHOD_COUNT && limits->methods & 1U << request->method);
    CHECK(request->minor <= 1);
    CHECK(!(request->chunked && request->has_length));
    CHECK(!(request->chunked && request->minor == 0));
    CHECK(!request->has_length || request->content_length <= limits->body);
    CHECK(request->field_count <= limits->fields);
    check_span(request->authority, request->head_length);
    check_text(bytes, request->authority);
    for (unsigned i = 0; i < request->field_count; i++) {
        check_span(request->fields[i].name, request->head_length);
        check_span(request->fields[i].value, request->head_length);
        check_text(bytes, request->fields[i].name);
        check_text(bytes, request->fields[i].value);
        CHECK(request->fields[i].name.length > 0);
    }
}

static void check_bad(const struct http_request *request, size_t length)
{
    CHECK(request->status >= 400 && request->status <= 505);
    CHECK(request->reason != REASON_NONE && request->reason < REASON_COUNT);
    CHECK(request->bad_at < length);
    CHECK(!request->keep_alive);
}

static void check_same(const struct http_request *one, const struct http_request *other)
{
    CHECK(memcmp(one, other, offsetof(struct http_request, fields)) == 0);
    CHECK(one->status == other->status && one->reason == other->reason && one->bad_at == other->bad_at);
    CHECK(one->line_start == other->line_start && one->state == other->state && one->seen == other->seen);
    for (unsigned i = 0; i < one->field_count; i++) {
        CHECK(one->fields[i].id == other->fields[i].id);
        CHECK(memcmp(&one->fields[i].name, &other->fields[i].name, sizeof one->fields[i].name) == 0);
        CHECK(memcmp(&one->fields[i].value, &other->fields[i].value, sizeof one->fields[i].value) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_request whole, cut, grown;
    const struct http_limits *limits = &choices[take_control(data, &size) % 4];
    const size_t at = take_cut(data, &size);
    const char *bytes = (const char *)data;
    if (size > UINT16_MAX)
        return 0;

    http_request_begin(&whole);
    const enum http_verdict verdict = http_request_parse(&whole, bytes, size, limits);
    check_span(whole.method_text, size);
    check_span(whole.target, size);
    if (verdict == HTTP_DONE)
        check_good(&whole, bytes, size, limits);
    else if (verdict == HTTP_BAD)
        check_bad(&whole, size);

    http_request_begin(&cut);
    const enum http_verdict early = http_request_parse(&cut, bytes, at, limits);
    CHECK(early == HTTP_MORE || early == verdict);
    CHECK(http_request_parse(&cut, bytes, size, limits) == verdict);
    check_same(&whole, &cut);

    http_request_begin(&grown);
    for (size_t part = 0; part < size; part++)
        http_request_parse(&grown, bytes, part, limits);
    CHECK(http_request_parse(&grown, bytes, size, limits) == verdict);
    check_same(&whole, &grown);
    return 0;
}
