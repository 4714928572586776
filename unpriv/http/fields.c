/*
 * Helpers on names and values that were already found to hold only allowed bytes.
 */
#include "unpriv/http/fields.h"

#include "unpriv/http/chars.h"

bool http_text_is(const char *text, size_t length, const char *lower)
{
    for (size_t i = 0; i < length; i++)
        if (lower[i] == '\0' || http_lower(text[i]) != lower[i])
            return false;
    return lower[length] == '\0';
}

enum http_field_id http_field_identify(const char *name, size_t length)
{
    switch (length) {
    case 4:
        return http_text_is(name, length, "host") ? FIELD_HOST : FIELD_OTHER;
    case 6:
        return http_text_is(name, length, "expect") ? FIELD_EXPECT : FIELD_OTHER;
    case 10:
        return http_text_is(name, length, "connection") ? FIELD_CONNECTION : FIELD_OTHER;
    case 14:
        return http_text_is(name, length, "content-length") ? FIELD_CONTENT_LENGTH : FIELD_OTHER;
    case 17:
        return http_text_is(name, length, "transfer-encoding") ? FIELD_TRANSFER_ENCODING : FIELD_OTHER;
    default:
        return FIELD_OTHER;
    }
}

struct http_span http_trim(const char *bytes, uint32_t at, uint32_t end)
{
    while (at < end && http_char_is(bytes[at], CHAR_BLANK))
        at++;
    while (end > at && http_char_is(bytes[end - 1], CHAR_BLANK))
        end--;
    return (struct http_span){(uint16_t)at, (uint16_t)(end - at)};
}

bool http_number(const char *text, size_t length, uint64_t *out)
{
    uint64_t number = 0;
    for (size_t i = 0; i < length; i++) {
        if (!http_char_is(text[i], CHAR_DIGIT))
            return false;
        unsigned digit = (unsigned)(text[i] - '0');
        number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
    }
    *out = number;
    return length > 0;
}

bool http_list_next(const char *bytes, struct http_span *rest, struct http_span *member)
{
    uint32_t at = rest->at;
    const uint32_t end = at + rest->length;
    while (at < end) {
        uint32_t comma = at;
        while (comma < end && bytes[comma] != ',')
            comma++;
        *member = http_trim(bytes, at, comma);
        at = comma < end ? comma + 1 : end;
        *rest = (struct http_span){(uint16_t)at, (uint16_t)(end - at)};
        if (member->length > 0)
            return true;
    }
    return false;
}

static bool same_name(const char *bytes, struct http_span one, struct http_span other)
{
    if (one.length != other.length)
        return false;
    for (unsigned i = 0; i < one.length; i++)
        if (http_lower(bytes[one.at + i]) != http_lower(bytes[other.at + i]))
            return false;
    return true;
}

bool http_connection_names(const struct http_field *fields, unsigned count, const char *bytes,
                           struct http_span name)
{
    for (unsigned i = 0; i < count; i++) {
        if (fields[i].id != FIELD_CONNECTION)
            continue;
        struct http_span rest = fields[i].value, member;
        while (http_list_next(bytes, &rest, &member))
            if (same_name(bytes, member, name))
                return true;
    }
    return false;
}
