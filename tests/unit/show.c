/*
 * The bounds of every span are checked here, in one place for all tests.
 */
#include "tests/unit/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

void show(struct shown *shown, const char *format, ...)
{
    const size_t room = sizeof shown->text - shown->used;
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(shown->text + shown->used, room, format, arguments);
    va_end(arguments);
    assert_in_range(length, 0, room - 1);
    shown->used += (size_t)length;
}

void show_bytes(struct shown *shown, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = (unsigned char)bytes[i];
        if (byte >= 0x20 && byte < 0x7F)
            show(shown, "%c", byte);
        else
            show(shown, "\\x%02X", byte);
    }
}

void show_span(struct shown *shown, const char *bytes, size_t length, struct http_span span)
{
    assert_in_range((size_t)span.at + span.length, 0, length);
    show_bytes(shown, bytes + span.at, span.length);
}

void show_fields(struct shown *shown, const char *bytes, size_t length, const struct http_field *fields,
                 unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        show(shown, " %u:", (unsigned)fields[i].id);
        show_span(shown, bytes, length, fields[i].name);
        show(shown, "=");
        show_span(shown, bytes, length, fields[i].value);
    }
}
