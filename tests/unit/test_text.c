/*
 * The strict readers: each takes its whole text or refuses it.
 */
#include "tests/unit/unit.h"

#include "ipc/text.h"

#include <string.h>

static void numbers(void **state)
{
    static const struct {
        const char *text;
        uint32_t least, most;
        bool good;
        uint32_t value;
    } cases[] = {
        {"0", 0, 10, true, 0},
        {"10", 0, 10, true, 10},
        {"11", 0, 10, false, 0},
        {"1", 2, 10, false, 0},
        {"2", 2, 10, true, 2},
        {"4294967295", 0, UINT32_MAX, true, UINT32_MAX},
        {"4294967296", 0, UINT32_MAX, false, 0},
        {"18446744073709551617", 0, UINT32_MAX, false, 0},
        {"99999999999999999999999999999999", 0, UINT32_MAX, false, 0},
        {"", 0, 10, false, 0},
        {"00", 0, 10, false, 0},
        {"01", 0, 10, false, 0},
        {"-1", 0, 10, false, 0},
        {"+1", 0, 10, false, 0},
        {" 1", 0, 10, false, 0},
        {"1 ", 0, 10, false, 0},
        {"1\n", 0, 10, false, 0},
        {"1.0", 0, 10, false, 0},
        {"0x1", 0, 10, false, 0},
        {"1e1", 0, 10, false, 0},
        {"\xD9\xA1", 0, 10, false, 0}, /* ARABIC-INDIC DIGIT ONE */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint32_t value = 12345;
        assert_int_equal(text_number(cases[i].text, cases[i].least, cases[i].most, &value), cases[i].good);
        assert_int_equal(value, cases[i].good ? cases[i].value : 12345);
    }
}

static void times(void **state)
{
    static const struct {
        const char *text;
        bool good;
        uint32_t value;
    } cases[] = {
        {"30", true, 30000},     {"30s", true, 30000},  {"500ms", true, 500},    {"2m", true, 120000},
        {"60m", true, 3600000},  {"100ms", true, 100},  {"3600", true, 3600000}, {"99ms", false, 0},
        {"3600001ms", false, 0}, {"3601", false, 0},    {"0", false, 0},         {"", false, 0},
        {"s", false, 0},         {"ms", false, 0},      {"30 s", false, 0},      {"30S", false, 0},
        {"30sec", false, 0},     {"1h", false, 0},      {"030", false, 0},       {"-1s", false, 0},
        {"1.5s", false, 0},      {"30s ", false, 0},    {"30mss", false, 0},     {"4294967295m", false, 0},
        {"4294967", false, 0},   {"4294997", false, 0}, /* 4294997 s is 29704 ms modulo 2^32 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint32_t value = 12345;
        assert_int_equal(text_milliseconds(cases[i].text, 100, 3600000, &value), cases[i].good);
        assert_int_equal(value, cases[i].good ? cases[i].value : 12345);
    }
}

static void uuids(void **state)
{
    char text[] = UUID;

    (void)state;
    assert_true(text_is_uuid(text, strlen(text)));
    assert_true(text_is_uuid("D9F7C1A0-1B2C-4D3E-8F90-0123456789AB", 36));
    assert_true(text_is_uuid("00000000-0000-0000-0000-000000000000", 36));
    assert_false(text_is_uuid("", 0));
    assert_false(text_is_uuid("d9f7c1a01b2c4d3e8f900123456789ab", 32));
    assert_false(text_is_uuid("{d9f7c1a0-1b2c-4d3e-8f90-0123456789ab}", 38));
    assert_false(text_is_uuid("d9f7c1a01-b2c-4d3e-8f90-0123456789ab", 36));
    assert_false(text_is_uuid(UUID "\n", 37));
    for (size_t length = 0; length < 36; length++)
        assert_false(text_is_uuid(text, length));
    for (size_t at = 0; at < 36; at++) { /* every byte value in every place */
        char kept = text[at];
        for (int c = 0; c < 256; c++) {
            bool dash = at == 8 || at == 13 || at == 18 || at == 23;
            bool hex = c != 0 && strchr("0123456789abcdefABCDEF", c) != NULL;
            text[at] = (char)c;
            assert_int_equal(text_is_uuid(text, 36), dash ? c == '-' : hex);
        }
        text[at] = kept;
    }
}

static void paths(void **state)
{
    static const char *const good[] = {"/", "/a", "/a/b", "/a.b/..c/...", "/-x", "/~!@#$%^&*()", "/.hidden"};
    static const char *const bad[] = {"",        "a",    "a/b",  "./a",      "/a/",   "//",    "//a",
                                      "/a//b",   "/.",   "/..",  "/a/.",     "/a/..", "/../a", "/a/./b",
                                      "/a/../b", "/a b", "/a\n", "/a\tb",    "/\x7F", "/\x80", "/a\r",
                                      "/a/../",  " /a",  "/a ",  "/\xC3\xA9"};
    char text[300];

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(text_is_path(good[i], 20));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(text_is_path(bad[i], 20));
    memset(text, 'x', sizeof(text));
    text[0] = '/';
    text[107] = '\0';
    assert_true(text_is_path(text, 107));
    assert_false(text_is_path(text, 106));
    text[107] = 'x'; /* not a byte behind the limit is needed to see that it is too long */
    assert_false(text_is_path(text, 107));
}

static void names(void **state)
{
    static const char *const good[] = {"a", "neutron", "1000", "_x", "qrouter-d9f7", "a.b", "A-Z_0.9"};
    static const char *const bad[] = {"",     "-a",  ".a",   ".",    "..",   "a b",  "a/b", "../a", "a\n",
                                      "a:b",  "a%b", "a\"b", "a'b",  "\x80", "a\r",  "$x",  "a;b",  " a",
                                      "a b ", "/a",  "a,b",  "a\\b", "a$",   "\x01", "é",   "a@b",  "a=b"};

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(text_is_name(good[i], 63));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(text_is_name(bad[i], 63));
    assert_true(text_is_name("abcd", 4));
    assert_false(text_is_name("abcde", 4));
}

static void tokens(void **state)
{
    (void)state;
    assert_true(text_is_token("X-a!#$%&'*+.^_`|~09", 19, 47));
    assert_false(text_is_token("", 0, 47));
    assert_false(text_is_token("abc", 3, 2));
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        bool token = c > 0x20 && c < 0x7F && strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;
        assert_int_equal(text_is_token(&byte, 1, 1), token);
    }
}

static void stored(void **state)
{
    char array[8];

    (void)state;
    memset(array, 'x', sizeof(array));
    assert_true(text_store(array, sizeof(array), "abc"));
    assert_memory_equal(array, "abc\0\0\0\0\0", 8);
    assert_true(text_stored_well(array, sizeof(array)));
    assert_true(text_store(array, sizeof(array), ""));
    assert_true(text_stored_well(array, sizeof(array)));
    assert_true(text_store(array, sizeof(array), "1234567"));
    assert_true(text_stored_well(array, sizeof(array)));
    assert_false(text_store(array, sizeof(array), "12345678"));
    assert_memory_equal(array, "\0\0\0\0\0\0\0\0", 8);
    assert_false(text_stored_well("abcdefgh", 8));     /* no NUL */
    assert_false(text_stored_well("abc\0\0\0\0x", 8)); /* something behind it */
    assert_false(text_stored_well("a\nc\0\0\0\0\0", 8));
    assert_false(text_stored_well("a\x7F"
                                  "c\0\0\0\0\0",
                                  8));
    assert_false(text_stored_well("a\x80"
                                  "c\0\0\0\0\0",
                                  8));
    assert_true(text_stored_well("a c\0\0\0\0\0", 8));
}

static void appended(void **state)
{
    static const struct {
        const char *text, *quoted;
    } cases[] = {
        {"", "''"},
        {"abc", "'abc'"},
        {"a b", "'a b'"},
        {"\r\n", "'\\x0D\\x0A'"},
        {"'\\", "'\\x27\\x5C'"},
        {"\x7F\x80\xFF", "'\\x7F\\x80\\xFF'"},
        {"0123456789012345678901234567890123456789abcdefgh",
         "'0123456789012345678901234567890123456789abcdefgh'"},
        {"0123456789012345678901234567890123456789abcdefghi",
         "'0123456789012345678901234567890123456789abcdefgh...'"},
    };
    char line[256];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t at = text_append(line, sizeof(line), 0, "x: ");
        at = text_append_quoted(line, sizeof(line), at, cases[i].text);
        assert_int_equal(at, strlen(line));
        assert_memory_equal(line, "x: ", 3);
        assert_string_equal(line + 3, cases[i].quoted);
    }
    for (size_t size = 1; size < 12; size++) { /* never a byte beyond the line, always a NUL */
        memset(line, '#', sizeof(line));
        size_t at = text_append_quoted(line, size, 0, "a\nbc");
        assert_true(at < size);
        assert_int_equal(line[at], '\0');
        assert_int_equal(line[size], '#');
        assert_int_equal(text_append(line, size, at, "more than there is room for"), size - 1);
        assert_int_equal(line[size], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers), cmocka_unit_test(times),    cmocka_unit_test(uuids),
        cmocka_unit_test(paths),   cmocka_unit_test(names),    cmocka_unit_test(tokens),
        cmocka_unit_test(stored),  cmocka_unit_test(appended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
