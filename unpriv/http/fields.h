/*
 * What requests, answers and both rewrites have in common: names of fields, lists, numbers.
 */
#ifndef METAWARD_UNPRIV_HTTP_FIELDS_H
#define METAWARD_UNPRIV_HTTP_FIELDS_H

#include "unpriv/http/request.h"

/** Is the text `lower` (NUL-terminated, given in lower case), ignoring ASCII case? */
bool http_text_is(const char *text, size_t length, const char *lower);

/** Which of the fields that the parsers must understand has this name? Exact but for ASCII case: '_' is not
 * '-'. */
enum http_field_id http_field_identify(const char *name, size_t length);

/** Take the blanks off both ends of the piece of `bytes` from `at` to `end`. */
struct http_span http_trim(const char *bytes, uint32_t at, uint32_t end);

/**
 * Read a number of decimal digits and nothing else (RFC 9110 section 8.6); leading zeros are digits like
 * others.
 *
 * @param out the number; UINT64_MAX where it is that or more
 * @return false for an empty text or any other byte
 */
bool http_number(const char *text, size_t length, uint64_t *out);

/**
 * Take the next member of a comma-separated list (RFC 9110 section 5.6.1); empty members are skipped.
 *
 * @param bytes  the buffer that the spans are in
 * @param rest   what is left of the list; moved on
 * @param member the member without the blanks around it
 * @return false at the list's end
 */
bool http_list_next(const char *bytes, struct http_span *rest, struct http_span *member);

/**
 * Do the Connection fields among `fields` name this field (RFC 9110 section 7.6.1)? Ignores case.
 *
 * @param bytes the buffer that the fields' spans are in; `name` may be in it too
 */
bool http_connection_names(const struct http_field *fields, unsigned count, const char *bytes,
                           struct http_span name);

#endif
