/*
 * Which bytes may stand where: one table of classes for all parsers, so that no two of them can disagree.
 *
 * The classes are those of RFC 9110 section 5.6 (token, field value), RFC 9112 section 3.2 (request target)
 * and RFC 3986 section 3.2.2 (host). A byte that is in no class is a control character or NUL.
 */
#ifndef METAWARD_UNPRIV_HTTP_CHARS_H
#define METAWARD_UNPRIV_HTTP_CHARS_H

#include <stddef.h>
#include <stdint.h>

enum http_char {
    CHAR_TOKEN = 1,  /* tchar: methods, field names, connection options */
    CHAR_TARGET = 2, /* printable ASCII without '#': a target is forwarded byte for byte */
    CHAR_VALUE = 4,  /* blanks, printable ASCII and obs-text (0x80 to 0xFF) */
    CHAR_ASCII = 8,  /* CHAR_VALUE without obs-text */
    CHAR_HOST = 16, /* unreserved and sub-delims, without ',' which would be a list; '%' is looked at apart */
    CHAR_HEX = 32,  /* hexadecimal digits of either case */
    CHAR_DIGIT = 64,  /* decimal digits */
    CHAR_BLANK = 128, /* space and tab: RFC 9110's OWS */
};

extern const uint8_t http_chars[256];

static inline unsigned http_char_is(char byte, unsigned classes)
{
    return http_chars[(unsigned char)byte] & classes;
}

/** ASCII lower case, whatever the locale says. */
static inline char http_lower(char byte)
{
    const unsigned capital = byte >= 'A' && byte <= 'Z';
    return (char)(byte + (int)(capital << 5)); /* no branch: names come in every mixture */
}

/** The first offset from `at` on, below `end`, whose byte is in none of `classes`; `end` where all are. */
static inline uint32_t http_run(const char *bytes, uint32_t at, uint32_t end, unsigned classes)
{
    while (at < end && http_char_is(bytes[at], classes))
        at++;
    return at;
}

#endif
