/*
 * The table of character classes. The ranges below do not overlap and stand in the order of ASCII; whatever
 * is not named (controls, NUL, DEL) is in no class.
 */
#include "unpriv/http/chars.h"

#define TEXT    (CHAR_VALUE | CHAR_ASCII)
#define PLAIN   (TEXT | CHAR_TARGET)
#define NAME    (PLAIN | CHAR_TOKEN)
#define LETTER  (NAME | CHAR_HOST)
#define HEX     (LETTER | CHAR_HEX)
#define NUMERAL (HEX | CHAR_DIGIT)

const uint8_t http_chars[256] = {
    ['\t'] = TEXT | CHAR_BLANK,
    [' '] = TEXT | CHAR_BLANK,
    ['!'] = LETTER,
    ['"'] = PLAIN,
    ['#'] = TEXT | CHAR_TOKEN,
    ['$'] = LETTER,
    ['%'] = NAME,
    ['&'] = LETTER,
    ['\''] = LETTER,
    ['('] = PLAIN | CHAR_HOST,
    [')'] = PLAIN | CHAR_HOST,
    ['*'] = LETTER,
    ['+'] = LETTER,
    [','] = PLAIN,
    ['-'] = LETTER,
    ['.'] = LETTER,
    ['/'] = PLAIN,
    ['0' ... '9'] = NUMERAL,
    [':'] = PLAIN,
    [';'] = PLAIN | CHAR_HOST,
    ['<'] = PLAIN,
    ['='] = PLAIN | CHAR_HOST,
    ['>' ... '@'] = PLAIN,
    ['A' ... 'F'] = HEX,
    ['G' ... 'Z'] = LETTER,
    ['[' ... ']'] = PLAIN,
    ['^'] = NAME,
    ['_'] = LETTER,
    ['`'] = NAME,
    ['a' ... 'f'] = HEX,
    ['g' ... 'z'] = LETTER,
    ['{'] = PLAIN,
    ['|'] = NAME,
    ['}'] = PLAIN,
    ['~'] = LETTER,
    [0x80 ... 0xFF] = CHAR_VALUE,
};
