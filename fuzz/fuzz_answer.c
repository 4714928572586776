/*
 * The parser of the agent's answers and the head made from them: the same verdict at every cut, and nothing
 * that the guest could read in two ways.
 */
#include "fuzz/check.h"
#include "unpriv/http/answer.h"

#include <string.h>

static void check_span(struct http_span span, const struct http_answer *answer)
{
    CHECK(span.at >= answer->head_at && (size_t)span.at + span.length <= answer->head_length);
}

static void check_good(const struct http_answer *answer, size_t length, bool head)
{
    CHECK(answer->head_length <= length && answer->head_length <= ANSWER_HEAD_MAX);
    CHECK(answer->head_at < answer->head_length);
    CHECK(answer->status >= 200 && answer->status <= 599);
    CHECK(answer->field_count <= ANSWER_FIELDS_MAX);
    CHECK(!head || answer->framing == ANSWER_NO_BODY);
    CHECK(answer->framing != ANSWER_LENGTH || answer->has_length);
    CHECK(answer->framing != ANSWER_CHUNKED || !answer->has_length);
    check_span(answer->reason, answer);
    for (unsigned i = 0; i < answer->field_count; i++) {
        check_span(answer->fields[i].name, answer);
        check_span(answer->fields[i].value, answer);
        CHECK(answer->fields[i].name.length > 0);
    }
}

/* CRLF and nothing like it; no NUL; ends with the only empty line. */
static void check_lines(const char *out, size_t length)
{
    CHECK(length >= 4 && memcmp(out + length - 4, "\r\n\r\n", 4) == 0);
    for (size_t i = 0; i < length; i++) {
        CHECK(out[i] != '\0');
        CHECK((out[i] == '\r') == (i + 1 < length && out[i + 1] == '\n'));
        CHECK(i + 4 >= length || memcmp(out + i, "\r\n\r\n", 4) != 0);
    }
}

static void check_rewrite(const struct http_answer *answer, const char *bytes, unsigned choice)
{
    static char out[4 * ANSWER_HEAD_MAX];
    static struct http_answer again;
    const enum answer_relay relay = choice % 4;
    const bool keep_alive = choice & 4;
    if (relay == RELAY_LENGTH && !answer->has_length)
        return;
    const size_t length =
        http_answer_rewrite(answer, bytes, relay, choice & 8 ? 1 : 0, keep_alive, out, sizeof out);
    check_lines(out, length);
    http_answer_begin(&again);
    /* blanks and line ends that were tidied up can make a head a little longer than the parser's limit */
    if (length <= ANSWER_HEAD_MAX && answer->field_count < ANSWER_FIELDS_MAX - 2) {
        CHECK(http_answer_parse(&again, out, length, false, false) == HTTP_DONE);
        CHECK(again.status == answer->status && again.head_length == length);
        CHECK(again.reason.length == answer->reason.length);
        CHECK(relay != RELAY_LENGTH || again.content_length == answer->content_length);
        CHECK((relay == RELAY_CHUNKED) == again.chunked);
        CHECK(relay == RELAY_LENGTH || relay == RELAY_NO_BODY || !again.has_length);
    }
    char *small = malloc(length - 1);
    CHECK(small);
    CHECK(http_answer_rewrite(answer, bytes, relay, choice & 8 ? 1 : 0, keep_alive, small, length - 1) == 0);
    free(small);
}

static void check_same(const struct http_answer *one, const struct http_answer *other)
{
    CHECK(memcmp(one, other, offsetof(struct http_answer, fields)) == 0);
    for (unsigned i = 0; i < one->field_count; i++)
        CHECK(memcmp(&one->fields[i].value, &other->fields[i].value, sizeof one->fields[i].value) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_answer whole, cut, grown;
    const unsigned choice = take_control(data, &size);
    const size_t at = take_cut(data, &size);
    const bool ended = choice & 16, head = choice & 32;
    const char *bytes = (const char *)data;
    if (size > UINT16_MAX)
        return 0;

    http_answer_begin(&whole);
    const enum http_verdict verdict = http_answer_parse(&whole, bytes, size, ended, head);
    CHECK(!ended || verdict != HTTP_MORE);

    http_answer_begin(&cut);
    const enum http_verdict early = http_answer_parse(&cut, bytes, at, false, head);
    CHECK(early == HTTP_MORE || early == verdict);
    CHECK(http_answer_parse(&cut, bytes, size, ended, head) == verdict);

    http_answer_begin(&grown);
    for (size_t part = 0; part < size; part++)
        http_answer_parse(&grown, bytes, part, false, head);
    CHECK(http_answer_parse(&grown, bytes, size, ended, head) == verdict);

    if (verdict == HTTP_DONE) {
        check_same(&whole, &cut);
        check_same(&whole, &grown);
        check_good(&whole, size, head);
        check_rewrite(&whole, bytes, choice);
    }
    return 0;
}
