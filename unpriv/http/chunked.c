/*
 * The decoder as a table: a state and the class of the next byte give the next state, and no entry means
 * refusal.
 *
 * The grammar of RFC 9112 section 7.1 without its "bad whitespace": a blank next to a chunk size or an
 * extension is refused. Only the bytes of chunk lines and trailers go through the table; data is moved in one
 * piece. Whatever is counted is counted a byte at a time, so the result can't depend on where the input was
 * cut.
 */
#include "unpriv/http/chunked.h"

#include "unpriv/http/chars.h"

#include <string.h>

#define SIZE_DIGITS_MAX 8

enum class {
    CLASS_CONTROL, /* allowed nowhere */
    CLASS_CR,
    CLASS_LF,
    CLASS_HEX,   /* a hexadecimal digit: a token character too */
    CLASS_TOKEN, /* other token characters */
    CLASS_BLANK,
    CLASS_COLON,
    CLASS_SEMICOLON,
    CLASS_EQUALS,
    CLASS_QUOTE,
    CLASS_BACKSLASH,
    CLASS_OTHER, /* whatever else a value may hold */
    CLASS_COUNT
};

enum state {
    BAD, /* what the table says where it says nothing */
    SIZE_FIRST,
    SIZE,
    EXT_NAME_FIRST,
    EXT_NAME,
    EXT_VALUE_FIRST,
    EXT_VALUE,
    EXT_QUOTED,
    EXT_ESCAPED,
    EXT_QUOTED_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_FIRST,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    DONE,
    STATE_COUNT
};

/* Everything that a quoted string or a value may hold, going to one state; single classes may be set anew
 * after it. */
#define TEXT_TO(state)                                                                                       \
    [CLASS_HEX] = (state), [CLASS_TOKEN] = (state), [CLASS_BLANK] = (state), [CLASS_COLON] = (state),        \
    [CLASS_SEMICOLON] = (state), [CLASS_EQUALS] = (state), [CLASS_OTHER] = (state)

static const uint8_t next[STATE_COUNT][CLASS_COUNT] = {
    [SIZE_FIRST] = {[CLASS_HEX] = SIZE},
    [SIZE] = {[CLASS_HEX] = SIZE, [CLASS_SEMICOLON] = EXT_NAME_FIRST, [CLASS_CR] = SIZE_LF},
    [EXT_NAME_FIRST] = {[CLASS_HEX] = EXT_NAME, [CLASS_TOKEN] = EXT_NAME},
    [EXT_NAME] = {[CLASS_HEX] = EXT_NAME,
                  [CLASS_TOKEN] = EXT_NAME,
                  [CLASS_EQUALS] = EXT_VALUE_FIRST,
                  [CLASS_SEMICOLON] = EXT_NAME_FIRST,
                  [CLASS_CR] = SIZE_LF},
    [EXT_VALUE_FIRST] = {[CLASS_HEX] = EXT_VALUE, [CLASS_TOKEN] = EXT_VALUE, [CLASS_QUOTE] = EXT_QUOTED},
    [EXT_VALUE] = {[CLASS_HEX] = EXT_VALUE,
                   [CLASS_TOKEN] = EXT_VALUE,
                   [CLASS_SEMICOLON] = EXT_NAME_FIRST,
                   [CLASS_CR] = SIZE_LF},
    [EXT_QUOTED] = {TEXT_TO(EXT_QUOTED), [CLASS_QUOTE] = EXT_QUOTED_END, [CLASS_BACKSLASH] = EXT_ESCAPED},
    [EXT_ESCAPED] = {TEXT_TO(EXT_QUOTED), [CLASS_QUOTE] = EXT_QUOTED, [CLASS_BACKSLASH] = EXT_QUOTED},
    [EXT_QUOTED_END] = {[CLASS_SEMICOLON] = EXT_NAME_FIRST, [CLASS_CR] = SIZE_LF},
    [SIZE_LF] = {[CLASS_LF] = DATA},
    [DATA_CR] = {[CLASS_CR] = DATA_LF},
    [DATA_LF] = {[CLASS_LF] = SIZE_FIRST},
    [TRAILER_FIRST] = {[CLASS_HEX] = TRAILER_NAME, [CLASS_TOKEN] = TRAILER_NAME, [CLASS_CR] = END_LF},
    [TRAILER_NAME] =
        {[CLASS_HEX] = TRAILER_NAME, [CLASS_TOKEN] = TRAILER_NAME, [CLASS_COLON] = TRAILER_VALUE},
    [TRAILER_VALUE] = {TEXT_TO(TRAILER_VALUE), [CLASS_QUOTE] = TRAILER_VALUE,
                       [CLASS_BACKSLASH] = TRAILER_VALUE, [CLASS_CR] = TRAILER_LF},
    [TRAILER_LF] = {[CLASS_LF] = TRAILER_FIRST},
    [END_LF] = {[CLASS_LF] = DONE},
};

static enum class classify(char byte) {
    switch (byte){
        case '\r' : return CLASS_CR; case '\n' : return CLASS_LF; case ':' : return CLASS_COLON;
        case ';' : return CLASS_SEMICOLON;
        case '=' : return CLASS_EQUALS;
        case '"' : return CLASS_QUOTE;
        case '\\' : return CLASS_BACKSLASH;
        default : break;
    }
if (http_char_is(byte, CHAR_HEX)) return CLASS_HEX;
if (http_char_is(byte, CHAR_TOKEN))
    return CLASS_TOKEN;
if (http_char_is(byte, CHAR_BLANK))
    return CLASS_BLANK;
return http_char_is(byte, CHAR_VALUE) ? CLASS_OTHER : CLASS_CONTROL;
}

static unsigned hex_value(char digit)
{
    if (http_char_is(digit, CHAR_DIGIT))
        return (unsigned)(digit - '0');
    return (unsigned)(http_lower(digit) - 'a') + 10;
}

static void refuse(struct http_chunked *chunked, uint16_t status, enum http_reason reason)
{
    chunked->state = BAD;
    chunked->status = status;
    chunked->reason = (uint8_t)reason;
}

/* One more digit of a chunk's size, checked against the limit as soon as it is known to be beyond. */
static void take_digit(struct http_chunked *chunked, char byte, uint64_t most)
{
    if (++chunked->digits > SIZE_DIGITS_MAX) {
        refuse(chunked, 400, REASON_CHUNK);
        return;
    }
    chunked->left = chunked->left * 16 + hex_value(byte);
    if (chunked->left > most - chunked->total)
        refuse(chunked, 413, REASON_BODY_LONG);
}

/* What the new state counts or starts; the byte that led to it belongs to it. */
static void enter(struct http_chunked *chunked, char byte, uint64_t most)
{
    switch ((enum state)chunked->state) {
    case SIZE:
        take_digit(chunked, byte, most);
        break;
    case EXT_NAME_FIRST:
    case EXT_NAME:
    case EXT_VALUE_FIRST:
    case EXT_VALUE:
    case EXT_QUOTED:
    case EXT_ESCAPED:
    case EXT_QUOTED_END:
        if (++chunked->line > CHUNKED_EXTENSIONS_MAX)
            refuse(chunked, 400, REASON_CHUNK);
        break;
    case DATA:
        chunked->line = 0;
        chunked->digits = 0;
        if (chunked->left == 0)
            chunked->state = TRAILER_FIRST;
        break;
    case TRAILER_NAME:
    case TRAILER_VALUE:
    case TRAILER_LF:
        if (++chunked->trailers > CHUNKED_TRAILERS_MAX)
            refuse(chunked, 400, REASON_CHUNK);
        break;
    default:
        break;
    }
}

/* One byte that is no data. */
static void take_byte(struct http_chunked *chunked, char byte, uint64_t most)
{
    chunked->state = next[chunked->state][classify(byte)];
    if (chunked->state == BAD) {
        refuse(chunked, 400, REASON_CHUNK);
        return;
    }
    enter(chunked, byte, most);
    if (chunked->state != BAD && ++chunked->overhead > CHUNKED_OVERHEAD_MAX && most != UINT64_MAX)
        refuse(chunked, 413, REASON_BODY_LONG);
}

/* Move what is there of the current chunk's data to the front. Returns how many bytes that was. */
static size_t take_data(struct http_chunked *chunked, char *to, const char *from, size_t length)
{
    const size_t take = chunked->left < length ? (size_t)chunked->left : length;
    if (to != from)
        memmove(to, from, take);
    chunked->left -= take;
    chunked->total += take;
    if (chunked->left == 0)
        chunked->state = DATA_CR;
    return take;
}

void http_chunked_begin(struct http_chunked *chunked)
{
    *chunked = (struct http_chunked){.state = SIZE_FIRST};
}

enum http_verdict http_chunked_decode(struct http_chunked *chunked, char *bytes, size_t length, uint64_t most,
                                      size_t *consumed, size_t *decoded)
{
    size_t at = 0, body = 0;
    while (at < length && chunked->state != DONE && chunked->state != BAD) {
        if (chunked->state == DATA) {
            const size_t taken = take_data(chunked, bytes + body, bytes + at, length - at);
            at += taken;
            body += taken;
        } else {
            take_byte(chunked, bytes[at], most);
            if (chunked->state != BAD)
                at++;
        }
    }
    *consumed = at;
    *decoded = body;
    if (chunked->state == BAD)
        return HTTP_BAD;
    return chunked->state == DONE ? HTTP_DONE : HTTP_MORE;
}
