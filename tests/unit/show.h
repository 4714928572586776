/*
 * A parser's whole result as one line of text, so that a table of examples can say all of it and a difference
 * can be read.
 */
#ifndef METAWARD_TESTS_UNIT_SHOW_H
#define METAWARD_TESTS_UNIT_SHOW_H

#include "unpriv/http/request.h"

struct shown {
    size_t used;
    char text[262144]; /* always NUL-terminated */
};

/** Append; fails the test where it does not fit. */
void show(struct shown *shown, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Append bytes; what is not printable ASCII as \xNN. */
void show_bytes(struct shown *shown, const char *bytes, size_t length);

/** Append a piece of a buffer of `length` bytes; fails the test where it is not within it. */
void show_span(struct shown *shown, const char *bytes, size_t length, struct http_span span);

/** Append " ID:NAME=VALUE" for each field. */
void show_fields(struct shown *shown, const char *bytes, size_t length, const struct http_field *fields,
                 unsigned count);

#endif
