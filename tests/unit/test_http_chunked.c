/*
 * The decoder of chunked bodies: each case is decoded at once, byte by byte and at every cut, in place, in
 * front of a guard page. What it says is one line: the verdict, the raw bytes used, the body.
 */
#include "tests/unit/guard.h"
#include "tests/unit/show.h"
#include "unpriv/http/chunked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A decoder that is fed in pieces, and what came out of it so far. */
struct feed {
    struct http_chunked chunked;
    enum http_verdict verdict;
    uint64_t most;
    size_t used;
    size_t body_length;
    char body[GUARD_ROOM];
};

static void feed_begin(struct feed *feed, uint64_t most)
{
    memset(&feed->chunked, 0xA5, sizeof feed->chunked);
    http_chunked_begin(&feed->chunked);
    feed->verdict = HTTP_MORE;
    feed->most = most;
    feed->used = feed->body_length = 0;
}

static void feed_piece(struct feed *feed, const char *bytes, size_t length)
{
    if (feed->verdict != HTTP_MORE)
        return;
    size_t consumed = SIZE_MAX, decoded = SIZE_MAX;
    char *placed = guard_at_end(bytes, length);
    feed->verdict = http_chunked_decode(&feed->chunked, placed, length, feed->most, &consumed, &decoded);
    assert_in_range(consumed, 0, length);
    assert_in_range(decoded, 0, consumed);
    if (feed->verdict == HTTP_MORE)
        assert_int_equal(consumed, length);
    assert_memory_equal(placed + consumed, bytes + consumed, length - consumed);
    memcpy(feed->body + feed->body_length, placed, decoded);
    feed->body_length += decoded;
    feed->used += consumed;
    assert_int_equal(feed->chunked.total, feed->body_length);
}

static void describe(struct shown *shown, const struct feed *feed)
{
    shown->used = 0;
    if (feed->verdict == HTTP_BAD)
        show(shown, "%u %s", (unsigned)feed->chunked.status,
             http_reason_id((enum http_reason)feed->chunked.reason));
    else
        show(shown, "%s", feed->verdict == HTTP_DONE ? "done" : "more");
    show(shown, " @%zu ", feed->used);
    show_bytes(shown, feed->body, feed->body_length);
}

static struct feed feed;
static struct shown shown;

static void check(const char *bytes, size_t length, uint64_t most, const char *expected)
{
    feed_begin(&feed, most);
    feed_piece(&feed, bytes, length);
    describe(&shown, &feed);
    assert_string_equal(shown.text, expected);

    feed_begin(&feed, most);
    for (size_t i = 0; i < length; i++)
        feed_piece(&feed, bytes + i, 1);
    describe(&shown, &feed);
    assert_string_equal(shown.text, expected);

    for (size_t cut = 0; cut <= length; cut++) {
        feed_begin(&feed, most);
        feed_piece(&feed, bytes, cut);
        feed_piece(&feed, bytes + cut, length - cut);
        describe(&shown, &feed);
        assert_string_equal(shown.text, expected);
    }
}

struct example {
    const char *input;
    size_t length;
    const char *expected;
};

#define EXAMPLE(input, expected)                                                                             \
    {                                                                                                        \
        input, sizeof(input) - 1, expected                                                                   \
    }
#define LAST "0\r\n\r\n"

static const struct example bodies[] = {
    EXAMPLE(LAST, "done @5 "),
    EXAMPLE(LAST "GET / HTTP/1.1", "done @5 "),
    EXAMPLE("5\r\nhello\r\n" LAST, "done @15 hello"),
    EXAMPLE("5\r\nhello\r\n" LAST "more", "done @15 hello"),
    EXAMPLE("3\r\nhel\r\n2\r\nlo\r\n" LAST, "done @20 hello"),
    EXAMPLE("1A\r\nabcdefghijklmnopqrstuvwxyz\r\n" LAST, "done @37 abcdefghijklmnopqrstuvwxyz"),
    EXAMPLE("a\r\n0123456789\r\n" LAST, "done @20 0123456789"),
    EXAMPLE("00000005\r\nhello\r\n00000000\r\n\r\n", "done @29 hello"),
    EXAMPLE("5\r\n0\r\n\r\n\r\n" LAST, "done @15 0\\x0D\\x0A\\x0D\\x0A"),
    EXAMPLE("3\r\n\0\xFF\n\r\n" LAST, "done @13 \\x00\\xFF\\x0A"),
    EXAMPLE("", "more @0 "),
    EXAMPLE("5", "more @1 "),
    EXAMPLE("5\r\nhel", "more @6 hel"),
    EXAMPLE("5\r\nhello\r\n", "more @10 hello"),
    EXAMPLE("5\r\nhello\r\n0\r\n", "more @13 hello"),
    EXAMPLE("5\r\nhello\r\n0\r\n\r", "more @14 hello"),
};

static const struct example sizes[] = {
    EXAMPLE("\r\nhello\r\n" LAST, "400 chunk @0 "),
    EXAMPLE(" 5\r\nhello\r\n" LAST, "400 chunk @0 "),
    EXAMPLE("5 \r\nhello\r\n" LAST, "400 chunk @1 "),
    EXAMPLE("5\t\r\nhello\r\n" LAST, "400 chunk @1 "),
    EXAMPLE("0x5\r\nhello\r\n" LAST, "400 chunk @1 "),
    EXAMPLE("+5\r\nhello\r\n" LAST, "400 chunk @0 "),
    EXAMPLE("-5\r\nhello\r\n" LAST, "400 chunk @0 "),
    EXAMPLE("5h\r\nhello\r\n" LAST, "400 chunk @1 "),
    EXAMPLE("0_5\r\nhello\r\n" LAST, "400 chunk @1 "),
    EXAMPLE("5\0\r\nhello\r\n" LAST, "400 chunk @1 "),
    EXAMPLE("5\v\r\nhello\r\n" LAST, "400 chunk @1 "),
    EXAMPLE("5.\r\nhello\r\n" LAST, "400 chunk @1 "),
    EXAMPLE("5,\r\nhello\r\n" LAST, "400 chunk @1 "),
    EXAMPLE("\xEF\xBC\x95\r\nhello\r\n" LAST, "400 chunk @0 "),
    EXAMPLE("\"5\"\r\nhello\r\n" LAST, "400 chunk @0 "),
    EXAMPLE("5\nhello\r\n" LAST, "400 chunk @1 "),
    EXAMPLE("5\r\r\nhello\r\n" LAST, "400 chunk @2 "),
    EXAMPLE("5\rXhello\r\n" LAST, "400 chunk @2 "),
    EXAMPLE("000000005\r\nhello\r\n" LAST, "400 chunk @8 "),
    EXAMPLE("10000000000000005\r\nhello\r\n" LAST, "413 body-long @3 "),
    EXAMPLE("ffffffffffffffff\r\nhello\r\n" LAST, "413 body-long @2 "),
    EXAMPLE("101\r\n", "413 body-long @2 "),
    EXAMPLE("100\r\n", "more @5 "),
    EXAMPLE("5\r\nhello\r\nfc\r\n", "413 body-long @11 hello"),
    EXAMPLE("5\r\nhello\r\nfb\r\n", "more @14 hello"),
    EXAMPLE("5\r\nhello\n" LAST, "400 chunk @8 hello"),
    EXAMPLE("5\r\nhello" LAST, "400 chunk @8 hello"),
    EXAMPLE("5\r\nhelloXX" LAST, "400 chunk @8 hello"),
    EXAMPLE("5\r\nhello\rX" LAST, "400 chunk @9 hello"),
    EXAMPLE("6\r\nhello\r\n" LAST, "400 chunk @9 hello\\x0D"),
    EXAMPLE("5\r\nhello\r\n\r\n" LAST, "400 chunk @10 hello"),
    EXAMPLE("hello\r\n\r\n", "400 chunk @0 "),
};

static const struct example extensions[] = {
    EXAMPLE("5;a\r\nhello\r\n" LAST, "done @17 hello"),
    EXAMPLE("5;a=b\r\nhello\r\n" LAST, "done @19 hello"),
    EXAMPLE("5;a=b;c;d=e\r\nhello\r\n0;f\r\n\r\n", "done @27 hello"),
    EXAMPLE("5;a=\"b;c\"\r\nhello\r\n" LAST, "done @23 hello"),
    EXAMPLE("5;a=\"\\\"\\\\ \t\xE9:=\";b\r\nhello\r\n" LAST, "done @31 hello"),
    EXAMPLE("5;a=\"\"\r\nhello\r\n" LAST, "done @20 hello"),
    EXAMPLE("5;\r\nhello\r\n" LAST, "400 chunk @2 "),
    EXAMPLE("5;;a\r\nhello\r\n" LAST, "400 chunk @2 "),
    EXAMPLE("5;=b\r\nhello\r\n" LAST, "400 chunk @2 "),
    EXAMPLE("5;a=\r\nhello\r\n" LAST, "400 chunk @4 "),
    EXAMPLE("5;a=;b\r\nhello\r\n" LAST, "400 chunk @4 "),
    EXAMPLE("5;a==b\r\nhello\r\n" LAST, "400 chunk @4 "),
    EXAMPLE("5;a=b=c\r\nhello\r\n" LAST, "400 chunk @5 "),
    EXAMPLE("5 ;a\r\nhello\r\n" LAST, "400 chunk @1 "),
    EXAMPLE("5; a\r\nhello\r\n" LAST, "400 chunk @2 "),
    EXAMPLE("5;a \r\nhello\r\n" LAST, "400 chunk @3 "),
    EXAMPLE("5;a=\"b\r\nhello\r\n" LAST, "400 chunk @6 "),
    EXAMPLE("5;a=\"b\"c\r\nhello\r\n" LAST, "400 chunk @7 "),
    EXAMPLE("5;a=\"b\n\"\r\nhello\r\n" LAST, "400 chunk @6 "),
    EXAMPLE("5;a=\"\\\r\"\r\nhello\r\n" LAST, "400 chunk @6 "),
    EXAMPLE("5;a=\"\x7F\"\r\nhello\r\n" LAST, "400 chunk @5 "),
    EXAMPLE("5;\0a\r\nhello\r\n" LAST, "400 chunk @2 "),
    EXAMPLE("2;\nxx\r\n" LAST, "400 chunk @2 "),
    EXAMPLE("5\r\r;a\r\nhello\r\n" LAST, "400 chunk @2 "),
};

static const struct example trailers[] = {
    EXAMPLE("0\r\nX-A: 1\r\n\r\n", "done @13 "),
    EXAMPLE("0\r\nX-A:\r\nX_B:\t\"x\\y\" \xE9;=\r\n\r\nbehind", "done @27 "),
    EXAMPLE("0\r\nX-Forwarded-For: 1\r\nContent-Length: 3\r\n\r\n", "done @44 "),
    EXAMPLE("0\r\nGET / HTTP/1.1\r\n\r\n", "400 chunk @6 "),
    EXAMPLE("0\r\nX\r\n\r\n", "400 chunk @4 "),
    EXAMPLE("0\r\nX : 1\r\n\r\n", "400 chunk @4 "),
    EXAMPLE("0\r\n: 1\r\n\r\n", "400 chunk @3 "),
    EXAMPLE("0\r\nX(: 1\r\n\r\n", "400 chunk @4 "),
    EXAMPLE("0\r\nX: 1\r\n 2\r\n\r\n", "400 chunk @9 "),
    EXAMPLE("0\r\n X: 1\r\n\r\n", "400 chunk @3 "),
    EXAMPLE("0\r\nX: \0\r\n\r\n", "400 chunk @6 "),
    EXAMPLE("0\r\nX: 1\rY\r\n\r\n", "400 chunk @8 "),
    EXAMPLE("0\r\nX: 1\n\r\n", "400 chunk @7 "),
    EXAMPLE("0\r\n\n", "400 chunk @3 "),
    EXAMPLE("0\r\n\rX", "400 chunk @4 "),
    EXAMPLE("0\r\nXXGET / HTTP/1.1\r\n\r\n", "400 chunk @8 "),
};

static void check_all(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(examples[i].input, examples[i].length, 256, examples[i].expected);
}

#define TABLE_TEST(table)                                                                                    \
    static void test_##table(void **state)                                                                   \
    {                                                                                                        \
        (void)state;                                                                                         \
        check_all(table, sizeof(table) / sizeof((table)[0]));                                                \
    }

TABLE_TEST(bodies)
TABLE_TEST(sizes)
TABLE_TEST(extensions)
TABLE_TEST(trailers)

static void test_most_extensions(void **state)
{
    (void)state;
    char input[400], expected[32];
    for (unsigned over = 0; over < 2; over++) {
        const unsigned length = CHUNKED_EXTENSIONS_MAX + over;
        const int used = snprintf(input, sizeof input, "1;%0*d\r\nx\r\n" LAST, (int)length - 1, 0);
        snprintf(expected, sizeof expected, over ? "400 chunk @%d " : "done @%d x",
                 over ? (int)length : used);
        check(input, (size_t)used, 256, expected);
    }
}

/* The bound on extensions is one for each chunk, not for all. */
static void test_extensions_of_many_chunks(void **state)
{
    (void)state;
    char input[1200], expected[32];
    size_t used = 0;
    for (unsigned i = 0; i < 4; i++)
        used += (size_t)snprintf(input + used, sizeof input - used, "1;%0200d\r\nx\r\n", 0);
    used += (size_t)snprintf(input + used, sizeof input - used, LAST);
    snprintf(expected, sizeof expected, "done @%zu xxxx", used);
    check(input, used, 256, expected);
}

static void test_most_trailers(void **state)
{
    (void)state;
    char input[CHUNKED_TRAILERS_MAX + 100], expected[32];
    for (unsigned over = 0; over < 2; over++) {
        /* a trailer's bytes are counted with its CR and without its LF */
        const int value = (int)(CHUNKED_TRAILERS_MAX - strlen("X:\r") + over);
        const int used = snprintf(input, sizeof input, "0\r\nX:%0*d\r\n\r\n", value, 0);
        snprintf(expected, sizeof expected, over ? "400 chunk @%d " : "done @%d ", over ? used - 4 : used);
        check(input, (size_t)used, 256, expected);
    }
}

/* Two thousand chunks of one byte are within the limit on the body, and yet refused; not so from the agent.
 */
static void test_overhead(void **state)
{
    (void)state;
    static const char chunk[] = "1\r\nx\r\n", last[] = LAST;
    static char input[4000 * (sizeof chunk - 1) + sizeof last - 1];
    for (size_t i = 0; i < 4000; i++)
        memcpy(input + i * (sizeof chunk - 1), chunk, sizeof chunk - 1);
    memcpy(input + 4000 * (sizeof chunk - 1), last, sizeof last - 1);
    feed_begin(&feed, 65536);
    feed_piece(&feed, input, sizeof input);
    assert_int_equal(feed.verdict, HTTP_BAD);
    assert_int_equal(feed.chunked.status, 413);
    assert_int_equal(feed.used - feed.body_length, CHUNKED_OVERHEAD_MAX);
    feed_begin(&feed, UINT64_MAX);
    feed_piece(&feed, input, sizeof input);
    assert_int_equal(feed.verdict, HTTP_DONE);
    assert_int_equal(feed.body_length, 4000);
}

static void test_big_chunk_without_limit(void **state)
{
    (void)state;
    feed_begin(&feed, UINT64_MAX);
    feed_piece(&feed, "ffffffff\r\n", 10);
    assert_int_equal(feed.verdict, HTTP_MORE);
    assert_int_equal(feed.chunked.left, 0xffffffff);
    static char data[60000];
    feed_piece(&feed, data, sizeof data);
    assert_int_equal(feed.chunked.left, 0xffffffff - sizeof data);
}

/* A verdict is final: more input changes nothing and is not touched. */
static void test_after_the_end(void **state)
{
    (void)state;
    struct http_chunked chunked;
    size_t consumed, decoded;
    char done[] = LAST, bad[] = "x", more[] = "5\r\nhello";
    http_chunked_begin(&chunked);
    assert_int_equal(http_chunked_decode(&chunked, done, 5, 10, &consumed, &decoded), HTTP_DONE);
    assert_int_equal(http_chunked_decode(&chunked, more, 8, 10, &consumed, &decoded), HTTP_DONE);
    assert_int_equal(consumed + decoded, 0);
    http_chunked_begin(&chunked);
    assert_int_equal(http_chunked_decode(&chunked, bad, 1, 10, &consumed, &decoded), HTTP_BAD);
    assert_int_equal(http_chunked_decode(&chunked, more, 8, 10, &consumed, &decoded), HTTP_BAD);
    assert_int_equal(consumed + decoded, 0);
    assert_memory_equal(more, "5\r\nhello", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_most_extensions),
        cmocka_unit_test(test_extensions_of_many_chunks),
        cmocka_unit_test(test_most_trailers),
        cmocka_unit_test(test_overhead),
        cmocka_unit_test(test_big_chunk_without_limit),
        cmocka_unit_test(test_after_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
