/*
 * Writing text into a bounded array: what stdio would be used for elsewhere.
 *
 * Text that does not fit is cut, never written beyond the end; `cut` then says so. Nothing is NUL-terminated.
 */
#ifndef METAWARD_UNPRIV_TEXT_OUT_H
#define METAWARD_UNPRIV_TEXT_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text_out {
    char *at;
    char *end;
    bool cut;
};

/** Start writing at `bytes`. */
static inline void text_out_begin(struct text_out *out, char *bytes, size_t size)
{
    out->at = bytes;
    out->end = bytes + size;
    out->cut = false;
}

/** Append bytes as they are. */
static inline void text_out_bytes(struct text_out *out, const char *bytes, size_t length)
{
    size_t room = (size_t)(out->end - out->at);

    if (length > room) {
        length = room;
        out->cut = true;
    }
    if (length > 0)
        memcpy(out->at, bytes, length);
    out->at += length;
}

/** Append a NUL-terminated text. */
static inline void text_out_string(struct text_out *out, const char *text)
{
    text_out_bytes(out, text, strlen(text));
}

/** Append a number in decimal, with zeros in front up to `width` digits (at most 20). */
static inline void text_out_number(struct text_out *out, uint64_t number, unsigned width)
{
    char digits[20];
    size_t first = sizeof(digits);

    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (first > 0 && sizeof(digits) - first < width)
        digits[--first] = '0';
    text_out_bytes(out, digits + first, sizeof(digits) - first);
}

/** Append one byte of a text that may be hostile: printable ASCII but '"' and '\' as it is, all else as \xNN.
 */
static inline void text_out_escaped(struct text_out *out, char byte)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char value = (unsigned char)byte;

    if (value >= 0x20 && value <= 0x7E && value != '"' && value != '\\') {
        text_out_bytes(out, &byte, 1);
    } else {
        char escape[4] = {'\\', 'x', hex[value >> 4], hex[value & 15]};

        text_out_bytes(out, escape, sizeof(escape));
    }
}

#endif
