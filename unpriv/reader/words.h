/*
 * A line of a configuration file, cut into words.
 *
 * Blanks and tabs separate words, '#' starts a comment anywhere. HAProxy's files also know quotes, escapes
 * with a backslash and variables; no file that Neutron writes has any, so they are refused instead of
 * interpreted. A line is cut in place: the words are the file's own bytes.
 */
#ifndef METAWARD_UNPRIV_READER_WORDS_H
#define METAWARD_UNPRIV_READER_WORDS_H

#include <stddef.h>

#define WORDS_MAX 16 /* the longest line of a dialect has ten */

struct words {
    unsigned count;
    char *word[WORDS_MAX]; /* NUL-terminated, never empty, printable ASCII; after a mistake the last may be
                              neither */
};

/**
 * Cut one line.
 *
 * @param line   `length` bytes and one more, the line's end, which is overwritten
 * @param length of the line without its end
 * @param out    the words; none for a line of blanks or of a comment only
 * @return NULL, or a constant string that says what is wrong with the last of the words
 */
const char *words_cut(char *line, size_t length, struct words *out);

#endif
