/*
 * The decoder of a chunked body (RFC 9112 section 7.1), for requests (strict) and for answers.
 *
 * Works in place: decoded bytes are moved to the front of the same buffer, so no second one is needed. Chunk
 * sizes are 1 to 8 hexadecimal digits; extensions are skipped within a bound; every line ends with CRLF
 * exactly. Trailers are checked like header fields and dropped. The result does not depend on where the input
 * was cut.
 */
#ifndef METAWARD_UNPRIV_HTTP_CHUNKED_H
#define METAWARD_UNPRIV_HTTP_CHUNKED_H

#include "unpriv/http/request.h"

#define CHUNKED_EXTENSIONS_MAX 256  /* bytes of extensions in one chunk's line */
#define CHUNKED_TRAILERS_MAX   2048 /* bytes of trailers in all */
#define CHUNKED_OVERHEAD_MAX                                                                                 \
    16384 /* bytes of chunk lines and trailers of one request, against many tiny chunks */

struct http_chunked {
    uint64_t left;     /* of the current chunk */
    uint64_t total;    /* decoded so far */
    uint64_t overhead; /* bytes so far that were no data */
    uint32_t line;     /* bytes of extensions in the current chunk's line */
    uint32_t trailers; /* bytes of trailers so far */
    uint8_t state;
    uint8_t digits;
    uint8_t reason;  /* enum http_reason, after HTTP_BAD */
    uint16_t status; /* after HTTP_BAD: 400 or 413 */
};

/** Make ready for a new body. */
void http_chunked_begin(struct http_chunked *chunked);

/**
 * Decode what there is.
 *
 * @param bytes    the raw bytes, decoded in place: the first *decoded of them are body afterwards
 * @param length   how many raw bytes there are
 * @param most     limit on the total of decoded bytes over all calls (413 beyond); UINT64_MAX for none, and
 * then CHUNKED_OVERHEAD_MAX does not apply either
 * @param consumed how many raw bytes were used; with HTTP_MORE always all of them
 * @param decoded  how many body bytes now stand at the front
 * @return HTTP_DONE once the last trailer's end was consumed; bytes behind it stay where they were, at bytes
 * + *consumed
 */
enum http_verdict http_chunked_decode(struct http_chunked *chunked, char *bytes, size_t length, uint64_t most,
                                      size_t *consumed, size_t *decoded);

#endif
