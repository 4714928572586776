/*
 * Strict readers for single values: what the command line and the configuration reader have in common.
 *
 * Every function takes a whole NUL-terminated text, uses all of it or refuses it, and never guesses: no
 * blanks, no sign, no octal, no empty text. They neither allocate nor depend on the locale. The two writers
 * at the end build the error lines that quote such a value.
 */
#ifndef METAWARD_IPC_TEXT_H
#define METAWARD_IPC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UUID_LENGTH 36

/** Decimal digits only, between `least` and `most`; leading zeros are refused, except for "0" itself. */
bool text_number(const char *text, uint32_t least, uint32_t most, uint32_t *out);

/**
 * A time: digits with an optional unit "ms", "s" or "m"; without a unit seconds, as Neutron writes them.
 *
 * @param out milliseconds, `least` to `most`
 */
bool text_milliseconds(const char *text, uint32_t least, uint32_t most, uint32_t *out);

/** A UUID in the 8-4-4-4-12 form, either case (RFC 9562 section 4); `length` is that of the text without NUL.
 */
bool text_is_uuid(const char *text, size_t length);

/**
 * An absolute path: starts with '/', at most `most` bytes without its NUL, only bytes 0x21 to 0x7E, no
 * component
 * "." or "..", no empty component and no '/' at the end (except "/" itself).
 */
bool text_is_path(const char *text, size_t most);

/**
 * 1 to `most` bytes of letters, digits, '.', '_', '-' that start with neither '-' nor '.'; for names of
 * accounts and namespaces.
 */
bool text_is_name(const char *text, size_t most);

/** `length` bytes, 1 to `most`, that are all token characters of RFC 9110 section 5.6.2. */
bool text_is_token(const char *text, size_t length, size_t most);

/**
 * Copy a text into a fixed array and fill the rest with zeros, as every string in a message must be.
 *
 * @return false, with `out` all zero, where the text and its NUL do not fit
 */
bool text_store(char *out, size_t size, const char *text);

/** Is the array NUL-terminated, zero-filled behind the NUL, and free of control characters and bytes above
 * 0x7E? */
bool text_stored_well(const char *array, size_t size);

/** Is every byte zero, as all that a message does not use must be? */
bool bytes_zero(const void *bytes, size_t length);

/** A name (text_is_name()) in an array of `size` bytes, stored well; or none: all zero. */
bool text_stored_name(const char *array, size_t size);

/** A path (text_is_path()) in an array of `size` bytes, stored well; or none: all zero. */
bool text_stored_path(const char *array, size_t size);

/**
 * Write a text behind the first `at` bytes of a line; what does not fit is left out, the NUL always fits.
 *
 * @param line at least one byte, `size` in all
 * @param at   less than `size`: what an earlier call returned, or 0
 * @return where the NUL is now
 */
size_t text_append(char *line, size_t size, size_t at, const char *text);

/**
 * Like text_append(), but for text that nobody has checked: in single quotes, with "\xHH" for every byte that
 * is not printable ASCII, a quote or a backslash, and "..." in place of all that follows the first 48 bytes.
 */
size_t text_append_quoted(char *line, size_t size, size_t at, const char *text);

#endif
