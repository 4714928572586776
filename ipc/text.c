/*
 * Strict readers for single values. See text.h for the rules; character classes are spelt out here, because
 * those of <ctype.h> follow the locale.
 */
#include "ipc/text.h"

#include <string.h>

#define QUOTED_MOST 48 /* bytes of an unchecked text that an error line shows */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Read the digits at the start of a text; *end is set behind them. False: none, a leading zero, or too many.
 */
static bool leading_number(const char *text, uint64_t *out, const char **end)
{
    const char *at = text;
    uint64_t value = 0;

    while (is_digit(*at)) {
        value = value * 10 + (uint64_t)(*at - '0');
        if (value > UINT32_MAX)
            return false;
        at++;
    }
    if (at == text || (text[0] == '0' && at - text > 1))
        return false;
    *out = value;
    *end = at;
    return true;
}

bool text_number(const char *text, uint32_t least, uint32_t most, uint32_t *out)
{
    uint64_t value;
    const char *end;

    if (!leading_number(text, &value, &end) || *end != '\0' || value < least || value > most)
        return false;
    *out = (uint32_t)value;
    return true;
}

bool text_milliseconds(const char *text, uint32_t least, uint32_t most, uint32_t *out)
{
    uint64_t value;
    const char *unit;

    if (!leading_number(text, &value, &unit))
        return false;
    if (strcmp(unit, "m") == 0)
        value *= 60000;
    else if (*unit == '\0' || strcmp(unit, "s") == 0)
        value *= 1000;
    else if (strcmp(unit, "ms") != 0)
        return false;
    if (value < least || value > most)
        return false;
    *out = (uint32_t)value;
    return true;
}

bool text_is_uuid(const char *text, size_t length)
{
    if (length != UUID_LENGTH)
        return false;
    for (size_t i = 0; i < UUID_LENGTH; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_hex(text[i]))
            return false;
    }
    return true;
}

/* One component of a path: not empty, not "." and not "..". */
static bool is_component(const char *start, size_t length)
{
    if (length == 0 || (length == 1 && start[0] == '.'))
        return false;
    return !(length == 2 && start[0] == '.' && start[1] == '.');
}

bool text_is_path(const char *text, size_t most)
{
    size_t length = strnlen(text, most + 1);

    if (length == 0 || length > most || text[0] != '/')
        return false;
    if (length == 1)
        return true;
    size_t start = 1;
    for (size_t i = 1; i <= length; i++) {
        if (i == length || text[i] == '/') {
            if (!is_component(text + start, i - start))
                return false;
            start = i + 1;
        } else if (text[i] < 0x21 || text[i] > 0x7E) {
            return false;
        }
    }
    return true;
}

bool text_is_name(const char *text, size_t most)
{
    size_t length = strnlen(text, most + 1);

    if (length == 0 || length > most || text[0] == '-' || text[0] == '.')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!is_letter(text[i]) && !is_digit(text[i]) && text[i] != '.' && text[i] != '_' && text[i] != '-')
            return false;
    }
    return true;
}

bool text_is_token(const char *text, size_t length, size_t most)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    if (length == 0 || length > most)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!is_letter(text[i]) && !is_digit(text[i]) && memchr(marks, text[i], sizeof(marks) - 1) == NULL)
            return false;
    }
    return true;
}

bool text_store(char *out, size_t size, const char *text)
{
    size_t length = strnlen(text, size);

    memset(out, 0, size);
    if (length == size)
        return false;
    memcpy(out, text, length);
    return true;
}

bool text_stored_well(const char *array, size_t size)
{
    size_t length = strnlen(array, size);

    if (length == size)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (array[i] < 0x20 || array[i] > 0x7E)
            return false;
    }
    for (size_t i = length; i < size; i++) {
        if (array[i] != '\0')
            return false;
    }
    return true;
}

bool bytes_zero(const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    unsigned char any = 0;

    for (size_t i = 0; i < length; i++)
        any |= at[i];
    return any == 0;
}

bool text_stored_name(const char *array, size_t size)
{
    return text_stored_well(array, size) && (array[0] == '\0' || text_is_name(array, size - 1));
}

bool text_stored_path(const char *array, size_t size)
{
    return text_stored_well(array, size) && (array[0] == '\0' || text_is_path(array, size - 1));
}

size_t text_append(char *line, size_t size, size_t at, const char *text)
{
    size_t length = strnlen(text, size - 1 - at);

    memcpy(line + at, text, length);
    line[at + length] = '\0';
    return at + length;
}

size_t text_append_quoted(char *line, size_t size, size_t at, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t i;

    at = text_append(line, size, at, "'");
    for (i = 0; i < QUOTED_MOST && text[i] != '\0'; i++) {
        unsigned char c = (unsigned char)text[i];
        char piece[] = {'\\', 'x', digits[c >> 4], digits[c & 0xF], '\0'};
        if (c >= 0x20 && c <= 0x7E && c != '\'' && c != '\\') {
            piece[0] = text[i];
            piece[1] = '\0';
        }
        at = text_append(line, size, at, piece);
    }
    return text_append(line, size, at, text[i] == '\0' ? "'" : "...'");
}
