/*
 * The parser of the agent's answers and the heads that guests get: golden results, every cut, guard pages.
 */
#include "tests/unit/guard.h"
#include "tests/unit/show.h"
#include "unpriv/http/answer.h"

#include "ipc/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const framings[] = {"none", "length", "chunked", "until-end"};

static void describe(struct shown *shown, enum http_verdict verdict, const struct http_answer *answer,
                     const char *bytes, size_t length)
{
    shown->used = 0;
    if (verdict != HTTP_DONE) {
        show(shown, "%s", verdict == HTTP_MORE ? "more" : "bad");
        return;
    }
    assert_in_range(answer->head_length, answer->head_at + 12, length);
    assert_in_range(answer->framing, 0, 3);
    show(shown, "%u..%u %u %s", (unsigned)answer->head_at, (unsigned)answer->head_length,
         (unsigned)answer->status, framings[answer->framing]);
    if (answer->has_length)
        show(shown, " %llu", (unsigned long long)answer->content_length);
    show(shown, " (");
    show_span(shown, bytes, length, answer->reason);
    show(shown, ")");
    show_fields(shown, bytes, length, answer->fields, answer->field_count);
}

static void parse_once(struct shown *shown, const char *bytes, size_t length, bool ended, bool head)
{
    static struct http_answer answer;
    memset(&answer, 0xA5, sizeof answer);
    http_answer_begin(&answer);
    const enum http_verdict verdict = http_answer_parse(&answer, bytes, length, ended, head);
    describe(shown, verdict, &answer, bytes, length);
}

/* Prefix by prefix without the end of file, and with it at each of them. */
static void parse_growing(const char *bytes, size_t length, bool head)
{
    static struct shown grown, fresh;
    static struct http_answer answer, ending;
    http_answer_begin(&answer);
    for (size_t part = 0; part <= length; part++) {
        const char *placed = guard_at_end(bytes, part);
        describe(&grown, http_answer_parse(&answer, placed, part, false, head), &answer, placed, part);
        parse_once(&fresh, placed, part, false, head);
        assert_string_equal(grown.text, fresh.text);
        ending = answer;
        describe(&grown, http_answer_parse(&ending, placed, part, true, head), &ending, placed, part);
        parse_once(&fresh, placed, part, true, head);
        assert_string_equal(grown.text, fresh.text);
        assert_string_not_equal(grown.text, "more");
    }
}

static void check(const char *bytes, size_t length, bool ended, bool head, const char *expected)
{
    static struct shown shown;
    parse_once(&shown, guard_at_end(bytes, length), length, ended, head);
    assert_string_equal(shown.text, expected);
    parse_once(&shown, guard_at_start(bytes, length), length, ended, head);
    assert_string_equal(shown.text, expected);
    parse_growing(bytes, length, head);
    for (size_t cut = 0; cut <= length; cut++) {
        static struct http_answer answer;
        http_answer_begin(&answer);
        http_answer_parse(&answer, guard_at_end(bytes, cut), cut, false, head);
        const char *placed = guard_at_end(bytes, length);
        describe(&shown, http_answer_parse(&answer, placed, length, ended, head), &answer, placed, length);
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
#define OK(rest) "HTTP/1.1 200 OK\r\n" rest

static const struct example whole[] = {
    EXAMPLE(OK("\r\n"), "0..19 200 until-end (OK)"),
    EXAMPLE(OK("Content-Length: 2\r\n\r\nok"), "0..38 200 length 2 (OK) 2:Content-Length=2"),
    EXAMPLE(OK("Transfer-Encoding: Chunked\r\n\r\n"), "0..47 200 chunked (OK) 3:Transfer-Encoding=Chunked"),
    EXAMPLE("HTTP/1.0 200 OK\r\n\r\nbody", "0..19 200 until-end (OK)"),
    EXAMPLE("HTTP/1.1 200\r\n\r\n", "0..16 200 until-end ()"),
    EXAMPLE("HTTP/1.1 200 \r\n\r\n", "0..17 200 until-end ()"),
    EXAMPLE("HTTP/1.1 404  Not \t Found \r\n\r\n", "0..30 404 until-end (Not \\x09 Found)"),
    EXAMPLE("HTTP/1.9 599 \xE9\r\n\r\n", "0..18 599 until-end (\\xE9)"),
    EXAMPLE("HTTP/1.1 404 Not Found\nContent-Length: 3\n\nabc",
            "0..42 404 length 3 (Not Found) 2:Content-Length=3"),
    EXAMPLE("HTTP/1.1 404 Not Found\nA: b\r\nC: d\n\r\n", "0..36 404 until-end (Not Found) 0:A=b 0:C=d"),
    EXAMPLE("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n",
            "0..46 204 none 9 (No Content) 2:Content-Length=9"),
    EXAMPLE("HTTP/1.1 304 Not Modified\r\n\r\n", "0..29 304 none (Not Modified)"),
    EXAMPLE("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "25..44 200 until-end (OK)"),
    EXAMPLE("HTTP/1.1 103 Hints\nLink: x\nContent-Length: 9\n\nHTTP/1.1 102\r\n\r\nHTTP/1.0 200 OK\r\nA: "
            "b\r\n\r\n",
            "62..87 200 until-end (OK) 0:A=b"),
    EXAMPLE(OK("Content-Length: 5\r\ncontent-length: 05\r\n\r\n"),
            "0..58 200 length 5 (OK) 2:Content-Length=5 2:content-length=05"),
    EXAMPLE(OK("Content-Length: 18446744073709551614\r\n\r\n"),
            "0..57 200 length 18446744073709551614 (OK) 2:Content-Length=18446744073709551614"),
    EXAMPLE(OK("Connection: close\r\nX:\r\n\r\n"), "0..42 200 until-end (OK) 4:Connection=close 0:X="),
    EXAMPLE("", "more"),
    EXAMPLE("HTT", "more"),
    EXAMPLE("HTTP/1.1 200 OK\r\nContent-Length: 0", "more"),
    EXAMPLE("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r", "more"),
    EXAMPLE("HTTP/1.1 100 Continue\r\n\r\n", "more"),
};

static const struct example garbage[] = {
    EXAMPLE("\r\nHTTP/1.1 200 OK\r\n\r\n", "bad"),
    EXAMPLE("\n", "bad"),
    EXAMPLE("HTTP/1.1 20 OK\r\n\r\n", "bad"),
    EXAMPLE("HTTP/1.1 2000 OK\r\n\r\n", "bad"),
    EXAMPLE("HTTP/1.1 600 OK\r\n\r\n", "bad"),
    EXAMPLE("HTTP/1.1 099 OK\r\n\r\n", "bad"),
    EXAMPLE("HTTP/1.1 000 OK\r\n\r\n", "bad"),
    EXAMPLE("HTTP/1.1 101 Switching\r\n\r\n", "bad"),
    EXAMPLE("HTTP/1.1  200 OK\r\n\r\n", "bad"),
    EXAMPLE("HTTP/1.1 200OK\r\n\r\n", "bad"),
    EXAMPLE("HTTP/1.1 2x0 OK\r\n\r\n", "bad"),
    EXAMPLE("HTTP/2.0 200 OK\r\n\r\n", "bad"),
    EXAMPLE("HTTP/1.x 200 OK\r\n\r\n", "bad"),
    EXAMPLE("http/1.1 200 OK\r\n\r\n", "bad"),
    EXAMPLE("ICY 200 OK\r\n\r\n", "bad"),
    EXAMPLE("<html>\n", "bad"),
    EXAMPLE("HTTP/1.1 200 O\rK\r\n\r\n", "bad"),
    EXAMPLE("HTTP/1.1 200 O\0K\r\n\r\n", "bad"),
    EXAMPLE("HTTP/1.1 200 OK\r\r\n\r\n", "bad"),
    EXAMPLE("HTTP/1.1 100 Continue\r\n\r\nbody", "more"),
    EXAMPLE("HTTP/1.1 100 Continue\r\n\r\nbody\n", "bad"),
    EXAMPLE(OK("A : b\r\n\r\n"), "bad"),
    EXAMPLE(OK(": b\r\n\r\n"), "bad"),
    EXAMPLE(OK("A\r\n\r\n"), "bad"),
    EXAMPLE(OK("A(: b\r\n\r\n"), "bad"),
    EXAMPLE(OK(" A: b\r\n\r\n"), "bad"),
    EXAMPLE(OK("A: b\r\n c\r\n\r\n"), "bad"),
    EXAMPLE(OK("A: b\rc\r\n\r\n"), "bad"),
    EXAMPLE(OK("A: b\0c\r\n\r\n"), "bad"),
    EXAMPLE(OK("A: b\x7F\r\n\r\n"), "bad"),
    EXAMPLE(OK("A: b\r\r\n\r\n"), "bad"),
    EXAMPLE(OK("\r\r\n"), "bad"),
    EXAMPLE(OK("Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), "bad"),
    EXAMPLE(OK("Content-Length: 5, 5\r\n\r\n"), "bad"),
    EXAMPLE(OK("Content-Length:\r\n\r\n"), "bad"),
    EXAMPLE(OK("Content-Length: -1\r\n\r\n"), "bad"),
    EXAMPLE(OK("Content-Length: 18446744073709551615\r\n\r\n"), "bad"),
    EXAMPLE(OK("Content-Length: 18446744073709551616\r\n\r\n"), "bad"),
    EXAMPLE(OK("Content-Length: 18446744073709551621\r\n\r\n"), "bad"),
    EXAMPLE(OK("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), "bad"),
    EXAMPLE(OK("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"), "bad"),
    EXAMPLE(OK("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), "bad"),
    EXAMPLE(OK("Transfer-Encoding: gzip, chunked\r\n\r\n"), "bad"),
    EXAMPLE(OK("Transfer-Encoding: identity\r\n\r\n"), "bad"),
    EXAMPLE(OK("Transfer-Encoding:\r\n\r\n"), "bad"),
    EXAMPLE("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "bad"),
    EXAMPLE("HTTP/1.1 100 Continue\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "bad"),
};

static const struct example ended[] = {
    EXAMPLE("HTTP/1.1 404 Not Found\nContent-Length: 0", "0..40 404 length 0 (Not Found) 2:Content-Length=0"),
    EXAMPLE("HTTP/1.1 503 Busy\r\nA: b\r\nContent-Length: 00 ",
            "0..44 503 length 0 (Busy) 0:A=b 2:Content-Length=00"),
    EXAMPLE(OK("Content-Length: 0\r\n"), "0..36 200 length 0 (OK) 2:Content-Length=0"),
    EXAMPLE(OK("Content-Length: 7\n"), "0..35 200 length 7 (OK) 2:Content-Length=7"),
    EXAMPLE(OK(""), "0..17 200 until-end (OK)"),
    EXAMPLE(OK("\r\nbody"), "0..19 200 until-end (OK)"),
    EXAMPLE(OK("Transfer-Encoding: chunked\n"), "0..44 200 chunked (OK) 3:Transfer-Encoding=chunked"),
    EXAMPLE("", "bad"),
    EXAMPLE("HTTP/1.1 404 Not Found", "bad"),
    EXAMPLE("HTTP/1.1 100 Continue\r\n\r\n", "bad"),
    EXAMPLE("HTTP/1.1 100 Continue\r\nContent-Length: 0", "bad"),
    EXAMPLE(OK("Content-Length: 5"), "bad"),
    EXAMPLE(OK("Content-Length: 5\r\nContent-Length: 0"), "bad"),
    EXAMPLE(OK("Transfer-Encoding: chunked\r\nContent-Length: 0"), "bad"),
    EXAMPLE(OK("Content-Length: 0\r\nTransfer-Encoding: chunked"), "bad"),
    EXAMPLE(OK("Content-Length: 0\r"), "bad"),
    EXAMPLE(OK("Content-Length: "), "bad"),
    EXAMPLE(OK("Content-Length"), "bad"),
    EXAMPLE(OK("X: 0"), "bad"),
    EXAMPLE(OK("\r"), "bad"),
};

static void check_all(const struct example *examples, size_t count, bool with_end)
{
    for (size_t i = 0; i < count; i++)
        check(examples[i].input, examples[i].length, with_end, false, examples[i].expected);
}

static void test_whole(void **state)
{
    (void)state;
    check_all(whole, sizeof whole / sizeof *whole, false);
}

static void test_garbage(void **state)
{
    (void)state;
    check_all(garbage, sizeof garbage / sizeof *garbage, false);
}

static void test_ended(void **state)
{
    (void)state;
    check_all(ended, sizeof ended / sizeof *ended, true);
}

static void test_head_has_no_body(void **state)
{
    (void)state;
    static const char length[] = OK("Content-Length: 9\r\n\r\n"),
                      chunked[] = OK("Transfer-Encoding: chunked\r\n\r\n");
    check(length, sizeof length - 1, false, true, "0..38 200 none 9 (OK) 2:Content-Length=9");
    check(chunked, sizeof chunked - 1, false, true, "0..47 200 none (OK) 3:Transfer-Encoding=chunked");
}

static size_t many_fields(char *input, size_t size, unsigned count)
{
    size_t used = (size_t)snprintf(input, size, OK(""));
    for (unsigned i = 0; i < count; i++)
        used += (size_t)snprintf(input + used, size - used, "A: b\r\n");
    return used + (size_t)snprintf(input + used, size - used, "\r\n");
}

static void test_most_fields(void **state)
{
    (void)state;
    static char input[2048];
    static struct shown shown;
    size_t length = many_fields(input, sizeof input, ANSWER_FIELDS_MAX);
    parse_once(&shown, guard_at_end(input, length), length, false, false);
    assert_memory_equal(shown.text, "0..", 3);
    length = many_fields(input, sizeof input, ANSWER_FIELDS_MAX + 1);
    check(input, length, false, false, "bad");
}

static void test_longest_head(void **state)
{
    (void)state;
    static char input[ANSWER_HEAD_MAX + 10];
    static struct shown shown;
    for (unsigned over = 0; over < 2; over++) {
        const int value = (int)(ANSWER_HEAD_MAX - strlen(OK("A: \r\n\r\n")) + over);
        const int length = snprintf(input, sizeof input, OK("A: %0*d\r\n\r\n"), value, 0);
        parse_once(&shown, guard_at_end(input, (size_t)length), (size_t)length, false, false);
        assert_memory_equal(shown.text, over ? "bad" : "0..", 3);
        parse_once(&shown, guard_at_end(input, ANSWER_HEAD_MAX), ANSWER_HEAD_MAX, false, false);
        assert_memory_equal(shown.text, over ? "mor" : "0..", 3);
    }
    /* skipped heads count */
    static const char skipped[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const size_t size = sizeof skipped - 1;
    memset(input, 'x', sizeof input);
    for (size_t at = 0; at + size <= ANSWER_HEAD_MAX; at += size)
        memcpy(input + at, skipped, size);
    parse_once(&shown, guard_at_end(input, sizeof input), sizeof input, false, false);
    assert_string_equal(shown.text, "bad");
}

/* ---- what the guest gets ---- */

static void check_relay(const char *answer_text, enum answer_relay relay, uint8_t minor, bool keep_alive,
                        const char *expected)
{
    static struct http_answer answer;
    static char empty[4096];
    const size_t needed = strlen(expected), length = strlen(answer_text);
    const char *placed = guard_at_start(answer_text, length);
    http_answer_begin(&answer);
    assert_int_equal(http_answer_parse(&answer, placed, length, true, false), HTTP_DONE);
    for (size_t size = 0; size <= needed; size++) {
        char *out = guard_at_end(empty, size);
        const size_t written = http_answer_rewrite(&answer, placed, relay, minor, keep_alive, out, size);
        assert_int_equal(written, size < needed ? 0 : needed);
    }
    assert_memory_equal(guard_at_end(empty, 0) - needed, expected, needed);
}

static void test_rewrite(void **state)
{
    (void)state;
    check_relay(OK("A: b\nContent-Length: 7\nserver:  x \n\n"), RELAY_LENGTH, 1, true,
                "HTTP/1.1 200 OK\r\nA: b\r\nserver: x\r\nContent-Length: 7\r\n\r\n");
    check_relay("HTTP/1.0 404\n\n", RELAY_CLOSE, 1, false, "HTTP/1.1 404 \r\nConnection: close\r\n\r\n");
    check_relay(OK("Content-Length: 0"), RELAY_LENGTH, 0, true,
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
    check_relay(OK("Transfer-Encoding: chunked\r\nTrailer: x\r\n\r\n"), RELAY_CHUNKED, 1, true,
                OK("Transfer-Encoding: chunked\r\n\r\n"));
    check_relay(OK("Transfer-Encoding: chunked\r\n\r\n"), RELAY_CLOSE, 0, false,
                OK("Connection: close\r\n\r\n"));
    check_relay("HTTP/1.1 100 Continue\r\nX: 1\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", RELAY_CLOSE,
                1, false, "HTTP/1.1 302 Found\r\nLocation: /\r\nConnection: close\r\n\r\n");
}

static void test_rewrite_without_body(void **state)
{
    (void)state;
    check_relay(OK("Content-Length: 9\r\n\r\n"), RELAY_NO_BODY, 1, true, OK("Content-Length: 9\r\n\r\n"));
    check_relay(OK("\r\n"), RELAY_NO_BODY, 1, true, OK("\r\n"));
    check_relay("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\n", RELAY_NO_BODY, 1,
                true, "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\n");
    check_relay("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", RELAY_NO_BODY, 1, true,
                "HTTP/1.1 204 No Content\r\n\r\n");
}

static void test_rewrite_drops_hop_by_hop(void **state)
{
    (void)state;
    check_relay(
        OK("Connection: X-One, close\r\nX-One: 1\r\nKeep-Alive: 5\r\nconnection: x-TWO\r\nUpgrade: h2c\r\n"
           "X-Two: 2\r\nX-Three: 3\r\nProxy-Connection: close\r\nTE: x\r\nDate: now\r\n\r\n"),
        RELAY_CLOSE, 1, false, OK("X-Three: 3\r\nDate: now\r\nConnection: close\r\n\r\n"));
}

static void check_own(uint16_t status, bool keep_alive, bool head_only, const char *expected)
{
    static char empty[1024];
    const size_t needed = strlen(expected);
    const uint32_t methods = 1U << HTTP_GET | 1U << HTTP_HEAD | 1U << HTTP_POST | 1U << 30;
    for (size_t size = 0; size <= needed; size++) {
        char *out = guard_at_end(empty, size);
        assert_int_equal(http_answer_own(status, methods, 1, keep_alive, head_only, out, size),
                         size < needed ? 0 : needed);
    }
    assert_memory_equal(guard_at_end(empty, 0) - needed, expected, needed);
}

static void test_own(void **state)
{
    (void)state;
    check_own(400, false, false,
              "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 16\r\n"
              "Connection: close\r\n\r\n400 Bad Request\n");
    check_own(400, false, true,
              "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 16\r\n"
              "Connection: close\r\n\r\n");
    check_own(429, true, false,
              "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nContent-Length: "
              "22\r\nRetry-After: 1\r\n"
              "Connection: keep-alive\r\n\r\n429 Too Many Requests\n");
    check_own(503, true, true,
              "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: "
              "24\r\nRetry-After: 1\r\n"
              "Connection: keep-alive\r\n\r\n");
    check_own(405, false, false,
              "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: 23\r\n"
              "Allow: GET, HEAD, POST\r\nConnection: close\r\n\r\n405 Method Not Allowed\n");
    check_own(501, false, true,
              "HTTP/1.1 501 Not Implemented\r\nContent-Type: text/plain\r\nContent-Length: 20\r\n"
              "Allow: GET, HEAD, POST\r\nConnection: close\r\n\r\n");
}

/* Each status that this proxy answers with has a phrase of its own, and its answer is one that the parser
 * takes. */
static void test_own_statuses(void **state)
{
    (void)state;
    static const uint16_t statuses[] = {400, 405, 408, 413, 414, 417, 429, 431, 500, 501, 502, 503, 504, 505};
    static struct http_answer answer;
    char out[512];
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        assert_string_not_equal(http_status_phrase(statuses[i]), "Error");
        const size_t length =
            http_answer_own(statuses[i], SETTINGS_METHODS_ALL, 86400, false, false, out, sizeof out);
        http_answer_begin(&answer);
        assert_int_equal(http_answer_parse(&answer, out, length, false, false), HTTP_DONE);
        assert_int_equal(answer.status, statuses[i]);
        assert_int_equal(answer.head_length + answer.content_length, length);
    }
    assert_string_equal(http_status_phrase(200), "OK");
    assert_string_equal(http_status_phrase(404), "Not Found");
    assert_string_equal(http_status_phrase(299), "Error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_ended),
        cmocka_unit_test(test_head_has_no_body),
        cmocka_unit_test(test_most_fields),
        cmocka_unit_test(test_longest_head),
        cmocka_unit_test(test_rewrite),
        cmocka_unit_test(test_rewrite_without_body),
        cmocka_unit_test(test_rewrite_drops_hop_by_hop),
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_own_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
