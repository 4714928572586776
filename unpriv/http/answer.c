/*
 * The answer's head, line by line: a line is taken when its line feed has come, with or without a CR before
 * it.
 *
 * The agent is honest but not tidy. What it may leave out is the reason, the CRs and the end of the head;
 * what it may not do is to say anything about the body's length in two ways. Controls, a bare CR and NUL
 * among them, are refused in every line, so none can get into what the guest reads.
 */
#include "unpriv/http/answer.h"

#include "unpriv/http/chars.h"
#include "unpriv/http/fields.h"

#include <string.h>

enum state { STATE_MORE, STATE_DONE, STATE_BAD };

void http_answer_begin(struct http_answer *answer)
{
    memset(answer, 0, offsetof(struct http_answer, fields));
    answer->scanned = answer->line = 0;
    answer->state = STATE_MORE;
    answer->minor = 0;
    answer->chunked = false;
}

static void refuse(struct http_answer *answer)
{
    answer->state = STATE_BAD;
}

/* "HTTP/1.x NNN", then a blank and a reason, or neither. The line is bytes[at..end). */
static void take_status(struct http_answer *answer, const char *bytes, uint32_t at, uint32_t end)
{
    static const char name[] = "HTTP/1.";
    const char *text = bytes + at;
    const uint32_t length = end - at;
    if (length < 12 || memcmp(text, name, sizeof name - 1) != 0 || !http_char_is(text[7], CHAR_DIGIT) ||
        text[8] != ' ' || http_run(bytes, at + 9, at + 12, CHAR_DIGIT) != at + 12 ||
        (length > 12 && text[12] != ' ') || http_run(bytes, at + 12, end, CHAR_VALUE) != end) {
        refuse(answer);
        return;
    }
    const unsigned status =
        (unsigned)(text[9] - '0') * 100 + (unsigned)(text[10] - '0') * 10 + (unsigned)(text[11] - '0');
    answer->minor = text[7] != '0';
    answer->status = (uint16_t)status;
    answer->reason = http_trim(bytes, at + 12, end);
    /* 101 would leave HTTP behind, and no Upgrade was asked for. */
    if (status < 100 || status == 101 || status > 599)
        refuse(answer);
}

static void take_length(struct http_answer *answer, const char *bytes, struct http_span value)
{
    uint64_t number;
    if (!http_number(bytes + value.at, value.length, &number) || number == UINT64_MAX ||
        (answer->has_length && number != answer->content_length))
        refuse(answer);
    else
        answer->content_length = number;
    answer->has_length = true;
}

static void take_coding(struct http_answer *answer, const char *bytes, struct http_span value)
{
    if (answer->chunked || answer->minor == 0 || !http_text_is(bytes + value.at, value.length, "chunked"))
        refuse(answer);
    answer->chunked = true;
}

/* "Name: value"; no blank before the colon, no folding. The line is bytes[at..end), not empty. */
static void take_field(struct http_answer *answer, const char *bytes, uint32_t at, uint32_t end)
{
    const uint32_t colon = http_run(bytes, at, end, CHAR_TOKEN);
    if (colon == at || colon == end || bytes[colon] != ':' ||
        http_run(bytes, colon + 1, end, CHAR_VALUE) != end || answer->field_count == ANSWER_FIELDS_MAX) {
        refuse(answer);
        return;
    }
    struct http_field *field = &answer->fields[answer->field_count++];
    field->name = (struct http_span){(uint16_t)at, (uint16_t)(colon - at)};
    field->value = http_trim(bytes, colon + 1, end);
    field->id = (uint8_t)http_field_identify(bytes + at, colon - at);
    if (field->id == FIELD_CONTENT_LENGTH)
        take_length(answer, bytes, field->value);
    else if (field->id == FIELD_TRANSFER_ENCODING)
        take_coding(answer, bytes, field->value);
}

/* RFC 9112 section 6.3. */
static enum answer_framing framing(const struct http_answer *answer, bool head)
{
    if (head || answer->status == 204 || answer->status == 304)
        return ANSWER_NO_BODY;
    if (answer->chunked)
        return ANSWER_CHUNKED;
    return answer->has_length ? ANSWER_LENGTH : ANSWER_UNTIL_END;
}

/* A head is over, the next byte is at `next`: the final one, or a 1xx which is forgotten. */
static void take_end(struct http_answer *answer, uint32_t next, bool head)
{
    if (answer->chunked && answer->has_length) {
        refuse(answer);
        return;
    }
    if (answer->status < 200) {
        http_answer_begin(answer);
        answer->head_at = answer->scanned = answer->line = next;
        return;
    }
    answer->head_length = next;
    answer->framing = (uint8_t)framing(answer, head);
    answer->state = STATE_DONE;
}

/* A whole line without its end: bytes[at..end); the next one starts at `next`. */
static void take_line(struct http_answer *answer, const char *bytes, uint32_t end, uint32_t next, bool head)
{
    const uint32_t at = answer->line;
    answer->line = answer->scanned = next;
    if (answer->status == 0)
        take_status(answer, bytes, at, end);
    else if (at == end)
        take_end(answer, next, head);
    else
        take_field(answer, bytes, at, end);
}

/* End of file within the head: good between two lines, and right behind "Content-Length: 0". */
static void take_end_of_file(struct http_answer *answer, const char *bytes, uint32_t length, bool head)
{
    if (answer->status < 200) {
        refuse(answer);
        return;
    }
    if (answer->line < length) {
        take_field(answer, bytes, answer->line, length);
        if (answer->state == STATE_BAD ||
            answer->fields[answer->field_count - 1].id != FIELD_CONTENT_LENGTH ||
            answer->content_length != 0) {
            refuse(answer);
            return;
        }
    }
    take_end(answer, length, head);
}

enum http_verdict http_answer_parse(struct http_answer *answer, const char *bytes, size_t length, bool ended,
                                    bool head)
{
    const uint32_t end = length < ANSWER_HEAD_MAX ? (uint32_t)length : ANSWER_HEAD_MAX;
    while (answer->state == STATE_MORE && answer->scanned < end) {
        const char *feed = memchr(bytes + answer->scanned, '\n', end - answer->scanned);
        if (!feed) {
            answer->scanned = end;
            break;
        }
        const uint32_t at = (uint32_t)(feed - bytes);
        take_line(answer, bytes, at > answer->line && bytes[at - 1] == '\r' ? at - 1 : at, at + 1, head);
    }
    if (answer->state == STATE_MORE && length > ANSWER_HEAD_MAX)
        refuse(answer);
    if (answer->state == STATE_MORE && ended)
        take_end_of_file(answer, bytes, end, head);
    if (answer->state == STATE_MORE)
        return HTTP_MORE;
    return answer->state == STATE_DONE ? HTTP_DONE : HTTP_BAD;
}

bool http_answer_keeps_open(const struct http_answer *answer, const char *bytes)
{
    if (answer->minor == 0 || answer->framing == ANSWER_UNTIL_END)
        return false;
    for (unsigned i = 0; i < answer->field_count; i++) {
        if (answer->fields[i].id != FIELD_CONNECTION)
            continue;
        struct http_span rest = answer->fields[i].value, member;
        while (http_list_next(bytes, &rest, &member))
            if (http_text_is(bytes + member.at, member.length, "close"))
                return false;
    }
    return true;
}
