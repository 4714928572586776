/*
 * A file in sections, as inih reads them, and what inih would let through and we do not.
 *
 * inih splits a line into key and value. It takes more than is documented in docs/configuration.md: it goes
 * on with a value in an indented line, ends a key with ':' as well, takes text behind a section's bracket,
 * comments behind values and a byte order mark, cuts what is too long, and knows nothing of a section that
 * is empty or is there twice. So every line is looked at before inih gets it, and what it could take in a lax
 * way is a mistake. What is left of its options is set when a file is read.
 *
 * The first mistake ends the reading.
 */
#ifndef METAWARD_UNPRIV_READER_INI_FILE_H
#define METAWARD_UNPRIV_READER_INI_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INI_LINE_MAX     1022 /* bytes of a line without its end */
#define INI_SECTIONS_MAX 8

struct ini_language {
    const char *const *sections; /* names, at most INI_SECTIONS_MAX; ended by NULL */
    /*
     * Take one KEY = VALUE.
     *
     * @param section its number in `sections`
     * @param about   what a mistake is about: the key, unless it is set to the value
     * @return NULL, or a constant string that says what is wrong
     */
    const char *(*take)(void *state, unsigned section, const char *key, const char *value,
                        const char **about);
};

struct ini_mistake {
    uint32_t line;               /* from 1; 0: about the file as a whole */
    char word[INI_LINE_MAX + 2]; /* what stands there; empty where there is nothing to show */
    const char *reason;          /* NULL: no mistake */
};

/**
 * Read a whole file. Neither allocates nor makes a system call.
 *
 * @param text    `length` bytes
 * @param state   handed to language->take
 * @param mistake filled in
 * @return true where there is no mistake
 */
bool ini_read(const char *text, size_t length, const struct ini_language *language, void *state,
              struct ini_mistake *mistake);

#endif
