/*
 * One line of the file, taken for what it means.
 *
 * The directives are tables: the section they belong to, their words, and what takes them. directive.c has
 * the table of a network's proxy, hostproxy.c that of a host's; see parse.h for the language.
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
    SECTION_FRONTEND, /* of a host's proxy, */
    SECTION_BACKEND,  /* and a guest's backend there */
    SECTION_ANY       /* the line that starts a section may stand in every other */
};

/* What a rate limit consists of: one without the others is a mistake. */
#define RATE_TABLE   0x1U
#define RATE_TRACKED 0x2U
#define RATE_DENIED  0x4U
#define RATE_WHOLE   (RATE_TABLE | RATE_TRACKED | RATE_DENIED)

/* Whose proxy a file is for: sections of the one don't mix with those of the other. */
enum served { SERVED_UNKNOWN = 0, SERVED_NETWORK, SERVED_HOST };

/* Where a mistake is that is no single line's fault. */
struct place {
    uint32_t line;    /* 0: the file as a whole */
    const char *word; /* NULL: none to show */
};

/* What is known between two lines. All zero but for the configuration's defaults to begin with. */
struct directives {
    struct config config;
    uint64_t seen;        /* one bit for each entry of the table that was used */
    enum section section; /* of the last line */
    enum served served;
    unsigned rates[NETWORK_RATES]; /* RATE_... of what was found */
    unsigned wrong;                /* the word that a mistake is about */
    uint32_t line;                 /* the number of the line at hand, from 1 */
    bool logged;                   /* there is a `log` line, */
    bool requests_logged;          /* and `log global` for the requests */
};

struct directive {
    enum section section;
    bool repeated; /* may stand in a file, or in a guest's backend, more than once */
    const char *pattern;
    const char *(*take)(struct directives *state, const struct directive *directive, char *const *words);
    union {
        const char *key;     /* of config_keys */
        enum section enters; /* the section that the line starts */
        unsigned rate;       /* number of the rate limit, or of a value of a guest's */
    } is;
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
 * @param at filled in where something is
 * @return NULL, or a constant string that says it
 */
const char *directive_missing(struct directives *state, struct place *at);

/** Say whose proxy the file is for. @return NULL, or that it was for another before */
const char *directive_mixed(struct directives *state, enum served served);

/** Say that word number `word` is wrong; returns `why`, NULL where nothing is. */
const char *directive_wrong(struct directives *state, unsigned word, const char *why);

/** A taker for what metaward always does. */
const char *directive_take_nothing(struct directives *state, const struct directive *directive,
                                   char *const *words);

/** A taker for a number that has no effect. */
const char *directive_take_number(struct directives *state, const struct directive *directive,
                                  char *const *words);

/** A taker for `timeout NAME TIME`, which sets the key. */
const char *directive_take_timeout(struct directives *state, const struct directive *directive,
                                   char *const *words);

/** A taker for `log global`: requests are logged. */
const char *directive_take_log_global(struct directives *state, const struct directive *directive,
                                      char *const *words);

/** Add ADDRESS:PORT, where the last colon is the port's, to the listeners; `interface` may be empty. @return
 * NULL, or what is wrong */
const char *directive_set_listener(struct directives *state, const char *word, const char *interface);

/** Read a time as these files have it: a bare number is milliseconds. @return false where it is none */
bool directive_read_time(const char *text, uint32_t *milliseconds);

#endif
