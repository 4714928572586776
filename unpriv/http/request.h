/*
 * The strict, incremental parser of a guest's request head.
 *
 * The caller owns all memory: the bytes, and the structure that this parser fills with spans into them. Feed
 * the whole buffer again each time it has grown; every byte is looked at once, and a verdict does not depend
 * on where the input was cut. A violation is reported at the earliest byte that proves it, with the status to
 * answer, a reason for the log and its position. Two things wait a little: a refused method for the end of
 * the request line, so that the log has the target; what is wrong with a field's value for the first byte of
 * the next line, so that a folded line is always called that. There is no lenient mode. RFC 9112 sections 2
 * to 6, RFC 9110 sections 5, 6.4, 7, 9.
 */
#ifndef METAWARD_UNPRIV_HTTP_REQUEST_H
#define METAWARD_UNPRIV_HTTP_REQUEST_H

#include "ipc/reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_FIELDS_CAP 128 /* the largest value of settings.max_fields */

enum http_verdict {
    HTTP_MORE, /* not decided yet: call again with more bytes */
    HTTP_DONE, /* complete and good */
    HTTP_BAD   /* refused: see status, reason and bad_at */
};

/* The order is that of the bits in settings.methods; the last ones are never forwarded. */
enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_PATCH,
    HTTP_METHOD_COUNT,
    HTTP_OTHER = HTTP_METHOD_COUNT
};

/* A piece of the caller's buffer. */
struct http_span {
    uint16_t at;
    uint16_t length;
};

/* The fields that the parser itself must understand; everything else is FIELD_OTHER. */
enum http_field_id {
    FIELD_OTHER,
    FIELD_HOST,
    FIELD_CONTENT_LENGTH,
    FIELD_TRANSFER_ENCODING,
    FIELD_CONNECTION,
    FIELD_EXPECT
};

struct http_field {
    struct http_span name;
    struct http_span value; /* without the blanks around it */
    uint8_t id;             /* enum http_field_id */
};

struct http_limits {
    uint32_t line;    /* bytes of the request line without CRLF */
    uint32_t head;    /* bytes of the whole head, empty lines before it included; at most 32768 */
    uint32_t fields;  /* at most HTTP_FIELDS_CAP */
    uint32_t body;    /* Content-Length beyond it is 413 */
    uint32_t methods; /* bits: methods that may be forwarded */
};

struct http_request {
    /* after HTTP_DONE; method, method_text and target also after HTTP_BAD as far as they were reached, for
     * the log */
    uint32_t head_length; /* bytes up to and with the empty line: the body starts here */
    uint32_t content_length;
    struct http_span method_text;
    /* origin-form or "*"; of an absolute-form its path and query: empty where it had neither (then "/" is
     * meant,
     * "*" for OPTIONS), starting with '?' where it had no path (then a "/" belongs before it) */
    struct http_span target;
    struct http_span
        authority;   /* what Host says, or the authority of an absolute-form; length 0 where there is none */
    uint8_t method;  /* enum http_method */
    uint8_t minor;   /* 0 or 1 (every other 1.x counts as 1) */
    bool keep_alive; /* what version and Connection say together (RFC 9112 section 9.3) */
    bool expect_continue;
    bool chunked;    /* Transfer-Encoding: chunked */
    bool has_length; /* Content-Length given */
    uint16_t field_count;
    struct http_field fields[HTTP_FIELDS_CAP];
    /* after HTTP_BAD */
    uint16_t status; /* what to answer: 400, 405, 413, 414, 417, 431, 501, 505 */
    uint8_t reason;  /* enum http_reason */
    uint32_t
        bad_at; /* offset of the byte that proved it; of a text that is wrong as a whole, its first byte */
    /* the parser's own */
    uint32_t line_start; /* of the request line */
    uint32_t scanned;    /* bytes before it were looked at and need not be seen again */
    uint32_t mark;       /* where the text that is being read started */
    uint8_t state;
    uint8_t seen; /* which of the fields and forms have come that must not come twice */
};

/** Make ready for a new request. The big fields array needs no clearing. */
void http_request_begin(struct http_request *request);

/**
 * Look at a buffer that holds the request from its first byte.
 *
 * @param bytes  the same bytes as before, and more; at most 65535 of them. Need not be NUL-terminated; not
 * one byte behind `length` is read.
 * @return HTTP_MORE, HTTP_DONE or HTTP_BAD; the latter two are final
 */
enum http_verdict http_request_parse(struct http_request *request, const char *bytes, size_t length,
                                     const struct http_limits *limits);

#endif
