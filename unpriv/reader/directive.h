/*
 * One line of the file, taken for what it means.
 *
 * The directives are a table: the section they belong to, their words, and what takes them. See directive.c
 * for the table, parse.h for the language.
 */
#ifndef METAWARD_UNPRIV_READER_DIRECTIVE_H
#define METAWARD_UNPRIV_READER_DIRECTIVE_H

#include "ipc/config.h"
#include "unpriv/reader/words.h"

enum section {
    SECTION_NONE = 0,
    SECTION_GLOBAL,
    SECTION_DEFAULTS,
    SECTION_BASE,  /* the two backends that hold the rate limits' tables, */
    SECTION_BURST, /* in the order of settings.rate */
    SECTION_LISTEN,
    SECTION_ANY /* the line that starts a section may stand in every other */
};

/* What a rate limit consists of: one without the others is a mistake. */
#define RATE_TABLE   0x1U
#define RATE_TRACKED 0x2U
#define RATE_DENIED  0x4U
#define RATE_WHOLE   (RATE_TABLE | RATE_TRACKED | RATE_DENIED)

/* What is known between two lines. All zero but for the configuration's defaults to begin with. */
struct directives {
    struct config config;
    uint64_t seen;                 /* one bit for each entry of the table that was used */
    enum section section;          /* of the last line */
    unsigned rates[NETWORK_RATES]; /* RATE_... of what was found */
    unsigned wrong;                /* the word that a mistake is about */
    bool logged;                   /* there is a `log` line, */
    bool requests_logged;          /* and `log global` for the requests */
};

/**
 * Take one line.
 *
 * @param words at least one
 * @return NULL, or a constant string that says what is wrong with word number `state->wrong`
 */
const char *directive_take(struct directives *state, const struct words *words);

/**
 * What is missing after the last line?
 *
 * @return NULL, or a constant string that says it
 */
const char *directive_missing(const struct directives *state);

#endif
