/*
 * Cutting lines. See words.h for the rules.
 */
#include "unpriv/reader/words.h"

#include <stdbool.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_control(char c)
{
    return (c >= 0 && c < ' ' && c != '\t') || c == 0x7F;
}

/* What a word, or the rest of the line, must not contain. */
static const char *wrong_in_word(char c)
{
    if (c == '"' || c == '\'' || c == '\\' || c == '$')
        return "quotes, escapes and variables are not supported";
    return c < ' ' || c > '~' ? "not printable ASCII" : NULL;
}

/* The word that starts at `i`; *i is set behind it. */
static const char *cut_word(char *line, size_t length, size_t *i)
{
    const char *wrong = NULL;

    while (*i < length && !is_blank(line[*i]) && line[*i] != '#') {
        if (wrong == NULL)
            wrong = wrong_in_word(line[*i]);
        ++*i;
    }
    return wrong;
}

const char *words_cut(char *line, size_t length, struct words *out)
{
    out->count = 0;
    line[length] = '\0';
    for (size_t i = 0; i < length; i++) {
        if (is_control(line[i])) {
            out->word[out->count++] = line + i;
            return "a control byte; lines end with LF alone";
        }
    }
    for (size_t i = 0; i < length && line[i] != '#'; i++) {
        if (is_blank(line[i]))
            continue;
        if (out->count == WORDS_MAX)
            return "no line of a known configuration has so many words";
        out->word[out->count++] = line + i;
        const char *wrong = cut_word(line, length, &i);
        const bool comment = line[i] == '#';
        line[i] = '\0';
        if (wrong != NULL || comment)
            return wrong;
    }
    return NULL;
}
