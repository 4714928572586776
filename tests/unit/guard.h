/*
 * Memory with a page behind it, and one before it, that may not be touched: a parser that reads one byte too
 * far ends the test with SIGSEGV instead of a lucky result.
 */
#ifndef METAWARD_TESTS_UNIT_GUARD_H
#define METAWARD_TESTS_UNIT_GUARD_H

#include <stddef.h>

#define GUARD_ROOM 17825792 /* bytes that can be placed at one time */

/** Copy the bytes so that the last one is the last byte before the forbidden page. Valid until the next call.
 */
char *guard_at_end(const char *bytes, size_t length);

/** Copy the bytes so that the first one is the first byte behind the forbidden page. Valid until the next
 * call. */
char *guard_at_start(const char *bytes, size_t length);

#endif
