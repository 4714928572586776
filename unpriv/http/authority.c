/*
 * Host names, bracketed IPv6 addresses with zones, and ports. Each reader returns how far it got, so that the
 * caller decides what may follow.
 */
#include "unpriv/http/authority.h"

#include "unpriv/http/chars.h"

#include <string.h>

#define ZONE_MAX 32 /* longer than any system's interface names (15 bytes on Linux) */

/* 1 to 3 digits, at most 255, no leading zero; `at` is moved behind it. */
static bool octet(const char *text, size_t length, size_t *at)
{
    unsigned number = 0;
    size_t digits = 0;
    while (*at < length && digits < 3 && http_char_is(text[*at], CHAR_DIGIT)) {
        number = number * 10 + (unsigned)(text[*at] - '0');
        ++*at;
        digits++;
    }
    return digits > 0 && number <= 255 && (digits == 1 || text[*at - digits] != '0');
}

static bool ipv4_valid(const char *text, size_t length)
{
    size_t at = 0;
    for (unsigned i = 0; i < 4; i++) {
        if (i > 0 && (at >= length || text[at++] != '.'))
            return false;
        if (!octet(text, length, &at))
            return false;
    }
    return at == length;
}

/* RFC 4291 section 2.2: groups of one to four digits, "::" once, IPv4 in place of the last two groups. */
static bool ipv6_valid(const char *text, size_t length)
{
    unsigned groups = 0;
    bool compressed = length >= 2 && text[0] == ':' && text[1] == ':';
    size_t at = compressed ? 2 : 0;
    if (compressed && length == 2)
        return true;
    for (;;) {
        size_t start = at;
        while (at < length && http_char_is(text[at], CHAR_HEX))
            at++;
        if (at < length && text[at] == '.') {
            groups += 2;
            if (!ipv4_valid(text + start, length - start))
                return false;
            break;
        }
        if (at == start || at - start > 4)
            return false;
        groups++;
        if (at == length)
            break;
        if (text[at++] != ':' || at == length)
            return false;
        if (text[at] == ':') {
            if (compressed)
                return false;
            compressed = true;
            if (++at == length)
                break;
        }
    }
    return compressed ? groups < 8 : groups == 8;
}

/* What stands behind '%': an interface's name, with or without the "25" of a percent sign that was encoded.
 */
static bool zone_valid(const char *text, size_t length)
{
    if (length >= 2 && text[0] == '2' && text[1] == '5') {
        text += 2;
        length -= 2;
    }
    return length > 0 && length <= ZONE_MAX && http_run(text, 0, (uint32_t)length, CHAR_HOST) == length;
}

/* "[...]": the offset behind the bracket, 0 where it is malformed. */
static size_t literal(const char *text, size_t length)
{
    const char *close = memchr(text, ']', length);
    if (!close)
        return 0;
    const size_t end = (size_t)(close - text);
    const char *percent = memchr(text, '%', end);
    const size_t address_end = percent ? (size_t)(percent - text) : end;
    if (!ipv6_valid(text + 1, address_end - 1))
        return 0;
    if (percent && !zone_valid(percent + 1, end - address_end - 1))
        return 0;
    return end + 1;
}

/* A reg-name: the offset of the first byte that can't belong to it, 0 where it is empty or malformed. */
static size_t name(const char *text, size_t length)
{
    size_t at = 0;
    for (;;) {
        while (at < length && http_char_is(text[at], CHAR_HOST))
            at++;
        if (at == length || text[at] != '%')
            return at;
        if (length - at < 3 || !http_char_is(text[at + 1], CHAR_HEX) || !http_char_is(text[at + 2], CHAR_HEX))
            return 0;
        at += 3;
    }
}

static bool port_valid(const char *text, size_t length)
{
    unsigned number = 0;
    if (length > 5)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!http_char_is(text[i], CHAR_DIGIT))
            return false;
        number = number * 10 + (unsigned)(text[i] - '0');
    }
    return number <= 65535;
}

bool http_authority_valid(const char *text, size_t length)
{
    if (length == 0)
        return false;
    const size_t host = text[0] == '[' ? literal(text, length) : name(text, length);
    if (host == 0)
        return false;
    return host == length || (text[host] == ':' && port_valid(text + host + 1, length - host - 1));
}
