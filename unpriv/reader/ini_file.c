/*
 * Between a file's text and inih. See ini_file.h.
 *
 * inih asks for one line after another, which is where they are looked at, and hands back key and value of
 * those that have them.
 */
#include "unpriv/reader/ini_file.h"

#include <ini.h>
#include <string.h>

struct input {
    const char *at;
    const char *end;
    const struct ini_language *language;
    void *state;
    struct ini_mistake *mistake;
    uint32_t line;    /* of the line that inih has */
    uint32_t seen;    /* one bit for each section */
    unsigned section; /* the last one */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool refuse(struct input *input, const char *word, size_t length, const char *reason)
{
    struct ini_mistake *mistake = input->mistake;

    if (length > INI_LINE_MAX)
        length = INI_LINE_MAX;
    mistake->line = input->line;
    mistake->reason = reason;
    memcpy(mistake->word, word, length);
    mistake->word[length] = '\0';
    return false;
}

/* "[NAME]", and nothing but blanks behind it. */
static bool enter_section(struct input *input, const char *line, size_t length)
{
    const char *close = memchr(line, ']', length);
    const char *const *sections = input->language->sections;
    unsigned number = 0;

    if (close == NULL)
        return refuse(input, line, length, "a section's name ends with ']'");
    for (const char *behind = close + 1; behind < line + length; behind++) {
        if (!is_blank(*behind))
            return refuse(input, behind, (size_t)(line + length - behind),
                          "nothing stands behind a section's ']'");
    }
    const size_t name = (size_t)(close - line) - 1;
    while (sections[number] != NULL &&
           (strlen(sections[number]) != name || memcmp(sections[number], line + 1, name) != 0))
        number++;
    if (sections[number] == NULL)
        return refuse(input, line, name + 2, "no such section");
    if ((input->seen & 1U << number) != 0)
        return refuse(input, line, name + 2, "given twice");
    input->seen |= 1U << number;
    input->section = number;
    return true;
}

/* A line that is neither empty nor a comment. */
static bool look_at_content(struct input *input, const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (line[i] < 0)
            return refuse(input, line + i, length - i, "not printable ASCII");
    }
    if (is_blank(line[0]))
        return refuse(input, line, length, "a line starts without blanks; a value has one line");
    if (line[0] == '[')
        return enter_section(input, line, length);
    size_t key = 0;
    while (key < length && line[key] != '=' && line[key] != ':')
        key++;
    if (key == length || line[key] == ':' || key == 0)
        return refuse(input, line, length, "neither KEY = VALUE nor [SECTION]");
    if (input->seen == 0)
        return refuse(input, line, length, "stands before the first section");
    return true;
}

/* May inih have the line? */
static bool look_at(struct input *input, const char *line, size_t length)
{
    size_t blanks = 0;

    if (length > INI_LINE_MAX)
        return refuse(input, line, length, "a line of more than 1022 bytes");
    for (size_t i = 0; i < length; i++) {
        if ((line[i] >= 0 && line[i] < ' ' && line[i] != '\t') || line[i] == 0x7F)
            return refuse(input, line + i, 1, "a control byte; lines end with LF alone");
    }
    while (blanks < length && is_blank(line[blanks]))
        blanks++;
    if (blanks == length || line[blanks] == '#' || line[blanks] == ';')
        return true;
    return look_at_content(input, line, length);
}

/* inih asks for a line, as from fgets(). */
static char *next_line(char *out, int size, void *stream)
{
    struct input *input = stream;

    if (input->mistake->reason != NULL || input->at == input->end)
        return NULL;
    const char *line = input->at;
    const char *end = memchr(line, '\n', (size_t)(input->end - line));
    input->line++;
    if (end == NULL) {
        refuse(input, "", 0, "the file ends within a line");
        return NULL;
    }
    const size_t length = (size_t)(end - line);
    if (!look_at(input, line, length) || length + 2 > (size_t)size)
        return NULL;
    input->at = end + 1;
    memcpy(out, line, length + 1);
    out[length + 1] = '\0';
    return out;
}

/* inih has a key and its value. */
static int take_value(void *user, const char *section, const char *key, const char *value)
{
    struct input *input = user;
    const char *about = key;
    const char *reason;

    if (strcmp(section, input->language->sections[input->section]) != 0)
        return refuse(input, section, strlen(section), "no such section");
    for (const char *at = value; *at != '\0'; at++) {
        if (is_blank(at[0]) && (at[1] == '#' || at[1] == ';'))
            return refuse(input, at + 1, strlen(at + 1), "a comment needs a line of its own");
    }
    reason = input->language->take(input->state, input->section, key, value, &about);
    return reason == NULL || refuse(input, about, strlen(about), reason);
}

bool ini_read(const char *text, size_t length, const struct ini_language *language, void *state,
              struct ini_mistake *mistake)
{
    struct input input = {
        .at = text, .end = text + length, .language = language, .state = state, .mistake = mistake};

    memset(mistake, 0, sizeof(*mistake));
    ini_use_stack = true; /* no memory is asked for */
    ini_max_line = INI_LINE_MAX + 2;
    ini_allow_multiline = false;
    ini_allow_bom = false;
    ini_allow_inline_comments = false;
    ini_allow_no_value = false;
    ini_stop_on_first_error = true;
    const int line = ini_parse_stream(next_line, &input, take_value, &input);
    if (mistake->reason == NULL && (line != 0 || input.at != input.end))
        refuse(&input, "", 0, "can't be read");
    return mistake->reason == NULL;
}
