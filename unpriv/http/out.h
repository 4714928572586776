/*
 * A bounded piece of memory that a head is written into. Once something did not fit, nothing more is written
 * and the result is no head at all: there are no truncated messages.
 */
#ifndef METAWARD_UNPRIV_HTTP_OUT_H
#define METAWARD_UNPRIV_HTTP_OUT_H

#include "unpriv/http/request.h"

#include <string.h>

struct http_out {
    char *bytes;
    size_t size;
    size_t used;
    bool full;
};

static inline void http_put(struct http_out *out, const char *text, size_t length)
{
    if (out->full || length > out->size - out->used) {
        out->full = true;
        return;
    }
    memcpy(out->bytes + out->used, text, length);
    out->used += length;
}

static inline void http_put_text(struct http_out *out, const char *text)
{
    http_put(out, text, strlen(text));
}

static inline void http_put_span(struct http_out *out, const char *bytes, struct http_span span)
{
    http_put(out, bytes + span.at, span.length);
}

/** "Name: value" and the line's end. */
static inline void http_put_field(struct http_out *out, const char *bytes, const struct http_field *field)
{
    http_put_span(out, bytes, field->name);
    http_put_text(out, ": ");
    http_put_span(out, bytes, field->value);
    http_put_text(out, "\r\n");
}

static inline void http_put_number(struct http_out *out, uint64_t number)
{
    char digits[20]; /* of UINT64_MAX */
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    http_put(out, digits + at, sizeof digits - at);
}

/** The length of what was written, 0 where not all of it fitted. */
static inline size_t http_out_length(const struct http_out *out)
{
    return out->full ? 0 : out->used;
}

#endif
