/*
 * The decoder of chunked bodies: in place, at once, cut in two and byte by byte; and against a decoder of a
 * few lines that knows only what a well-formed body looks like.
 */
#include "fuzz/check.h"
#include "unpriv/http/chunked.h"

#include <string.h>

struct result {
    struct http_chunked chunked;
    enum http_verdict verdict;
    size_t used;
    size_t body_length;
    char *body;
};

static void begin(struct result *result, size_t size)
{
    http_chunked_begin(&result->chunked);
    result->verdict = HTTP_MORE;
    result->used = result->body_length = 0;
    result->body = malloc(size + 1);
    CHECK(result->body);
}

/* Decode a copy that ends where the sanitizer looks. */
static void feed(struct result *result, const uint8_t *data, size_t size, uint64_t most)
{
    size_t consumed = 0, decoded = 0;
    if (result->verdict != HTTP_MORE || size == 0)
        return;
    char *copy = malloc(size);
    CHECK(copy);
    memcpy(copy, data, size);
    result->verdict = http_chunked_decode(&result->chunked, copy, size, most, &consumed, &decoded);
    CHECK(decoded <= consumed && consumed <= size);
    CHECK(result->verdict != HTTP_MORE || consumed == size);
    CHECK(memcmp(copy + consumed, data + consumed, size - consumed) == 0);
    memcpy(result->body + result->body_length, copy, decoded);
    result->body_length += decoded;
    result->used += consumed;
    CHECK(result->chunked.total == result->body_length && result->chunked.total <= most);
    free(copy);
}

static void check_same(const struct result *one, const struct result *other)
{
    CHECK(one->verdict == other->verdict && one->used == other->used);
    CHECK(one->body_length == other->body_length && memcmp(one->body, other->body, one->body_length) == 0);
    CHECK(one->chunked.state == other->chunked.state && one->chunked.status == other->chunked.status);
    CHECK(one->chunked.left == other->chunked.left && one->chunked.overhead == other->chunked.overhead);
    CHECK(one->chunked.line == other->chunked.line && one->chunked.trailers == other->chunked.trailers);
}

/* What is known to be well formed, read again: sizes, data, trailer lines up to the empty one. */
static void check_whole(const struct result *result, const char *at)
{
    const char *start = at, *body = result->body;
    for (;;) {
        const unsigned long chunk = strtoul(at, NULL, 16);
        at = strstr(at, "\r\n") + 2;
        if (chunk == 0)
            break;
        CHECK(chunk <= result->body_length - (size_t)(body - result->body) && memcmp(at, body, chunk) == 0);
        body += chunk;
        at += chunk;
        CHECK(memcmp(at, "\r\n", 2) == 0);
        at += 2;
    }
    while (memcmp(at, "\r\n", 2) != 0)
        at = strstr(at, "\r\n") + 2;
    CHECK((size_t)(at + 2 - start) == result->used);
    CHECK((size_t)(body - result->body) == result->body_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t limits[] = {3072, UINT64_MAX, 7, 0};
    const uint64_t most = limits[take_control(data, &size) % 4];
    const size_t at = take_cut(data, &size);
    struct result whole, cut, grown;

    begin(&whole, size);
    feed(&whole, data, size, most);
    if (whole.verdict == HTTP_BAD)
        CHECK(
            (whole.chunked.status == 400 && whole.chunked.reason == REASON_CHUNK) ||
            (whole.chunked.status == 413 && whole.chunked.reason == REASON_BODY_LONG && most != UINT64_MAX));
    if (whole.verdict == HTTP_DONE) {
        char *text = malloc(size + 1);
        CHECK(text);
        memcpy(text, data, size);
        text[size] = '\0';
        check_whole(&whole, text);
        free(text);
    }

    begin(&cut, size);
    feed(&cut, data, at, most);
    feed(&cut, data + cut.used, size - cut.used, most);
    check_same(&whole, &cut);

    begin(&grown, size);
    for (size_t i = 0; i < size; i++)
        feed(&grown, data + i, 1, most);
    check_same(&whole, &grown);
    free(whole.body);
    free(cut.body);
    free(grown.body);
    return 0;
}
