/*
 * The tolerant parser of the agent's answer head, and the writer of the head that the guest gets.
 *
 * Tolerant where the agents are untidy (bare LF, missing reason, HTTP/1.0, a head that ends with the
 * connection), never where framing would become ambiguous: two different lengths, length and chunked at once,
 * an unknown coding, a bare CR, NUL or another control are HTTP_BAD. 1xx answers are skipped (101 is
 * HTTP_BAD). RFC 9112 sections 4 and 6.3.
 */
#ifndef METAWARD_UNPRIV_HTTP_ANSWER_H
#define METAWARD_UNPRIV_HTTP_ANSWER_H

#include "unpriv/http/request.h"

#define ANSWER_HEAD_MAX   16384 /* bytes of an answer's head, skipped 1xx heads included */
#define ANSWER_FIELDS_MAX 128

enum answer_framing {
    ANSWER_NO_BODY, /* HEAD, 204, 304 */
    ANSWER_LENGTH,
    ANSWER_CHUNKED,
    ANSWER_UNTIL_END /* neither: end of file is the end */
};

struct http_answer {
    uint32_t head_at;     /* where the final answer's status line starts (behind skipped 1xx) */
    uint32_t head_length; /* offset of the first body byte */
    uint64_t content_length;
    bool has_length; /* Content-Length was given (kept for HEAD and 304) */
    uint16_t status; /* 200 to 599 */
    uint8_t framing; /* enum answer_framing */
    struct http_span reason;
    uint16_t field_count;
    struct http_field fields[ANSWER_FIELDS_MAX];
    /* the parser's own */
    uint32_t scanned; /* there is no line end before it, from `line` on */
    uint32_t line;    /* where the current line starts */
    uint8_t state;
    uint8_t minor; /* 0 for HTTP/1.0, where Transfer-Encoding has no meaning */
    bool chunked;
};

/** Make ready for a new answer. The fields array needs no clearing. */
void http_answer_begin(struct http_answer *answer);

/**
 * Look at a buffer that holds the answer from its first byte.
 *
 * @param bytes  the same bytes as before, and more
 * @param ended  end of file has come: a head whose lines are complete, or that ends without a line end right
 * behind "Content-Length: 0", is then whole; everything else that is incomplete is HTTP_BAD
 * @param head   the request was HEAD
 */
enum http_verdict http_answer_parse(struct http_answer *answer, const char *bytes, size_t length, bool ended,
                                    bool head);

/** Does the connection stay open behind the answer (RFC 9112 section 9.3)? One of HTTP/1.0 never does here.
 */
bool http_answer_keeps_open(const struct http_answer *answer, const char *bytes);

/* How the guest's head frames the body. */
enum answer_relay {
    RELAY_NO_BODY, /* no framing header but a Content-Length that was there (HEAD, 304) */
    RELAY_LENGTH,  /* Content-Length as given */
    RELAY_CHUNKED, /* Transfer-Encoding: chunked */
    RELAY_CLOSE    /* the connection's end is the body's */
};

/**
 * Write the head that the guest gets: HTTP/1.1, the status, the reason, all end-to-end headers, the framing.
 * Hop-by-hop headers and those that the answer's Connection names are dropped.
 *
 * @param minor      the guest's HTTP version: a 1.0 guest that stays open is told "Connection: keep-alive"
 * @param keep_alive false: "Connection: close" is written
 * @return the length, or 0 where it does not fit into `size`
 */
size_t http_answer_rewrite(const struct http_answer *answer, const char *bytes, enum answer_relay relay,
                           uint8_t minor, bool keep_alive, char *out, size_t size);

/**
 * An answer of our own: status line, Content-Type: text/plain, Content-Length, Connection and a short body
 * ("400 Bad Request\n"); 429 and 503 carry Retry-After, 405 and 501 carry Allow.
 *
 * @param retry_after_s seconds, for 429 and 503
 * @param head_only the request was HEAD: the length is told, the body is not sent
 * @return the length, or 0 where it does not fit
 */
size_t http_answer_own(uint16_t status, uint32_t methods, uint32_t retry_after_s, bool keep_alive,
                       bool head_only, char *out, size_t size);

/** The standard reason phrase; "Error" for statuses that this proxy never sends. */
const char *http_status_phrase(uint16_t status);

#endif
