/*
 * HOST:PORT: what is taken, what it is split into, and everything that looks like one and is not.
 */
#include "tests/unit/unit.h"

#include "ipc/endpoint.h"

#include <stdlib.h>
#include <string.h>

#define LABEL_63 "abcdefghijklmnopqrstuvwxyz-0123456789-abcdefghijklmnopqrstuvwxy"

static void split(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        {"127.0.0.1:8775", "127.0.0.1", 8775},
        {"[::1]:1", "::1", 1},
        {"[2001:db8::7]:65535", "2001:db8::7", 65535},
        {"localhost:80", "localhost", 80},
        {"nova-metadata.example.org:8775", "nova-metadata.example.org", 8775},
        {"3com.example:1", "3com.example", 1},
        {"a:1", "a", 1},
        {"10.0.0.1.example:1", "10.0.0.1.example", 1},
        {LABEL_63 ".b:1", LABEL_63 ".b", 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        char host[ENDPOINT_HOST_SIZE], zeros[ENDPOINT_HOST_SIZE] = {0};
        uint16_t port = 0;
        const char *wrong = endpoint_split(good[i].text, host, &port);
        if (wrong != NULL)
            fail_msg("%s: %s", good[i].text, wrong);
        size_t length = strlen(good[i].host);
        assert_string_equal(host, good[i].host);
        assert_memory_equal(host + length, zeros, sizeof(host) - length);
        assert_int_equal(port, good[i].port);
        assert_null(endpoint_host_check(good[i].host));
    }
}

static void not_split(void **state)
{
    static const char *const bad[] = {
        "",
        ":",
        ":80",
        "host",
        "host:",
        "host:0",
        "host:65536",
        "host:080",
        "host:+80",
        "host:80 ",
        "host:80:80",
        " host:80",
        "ho st:80",
        "host\n:80",
        "ho/st:80",
        "h_st:80",
        "-host:80",
        "host-:80",
        ".host:80",
        "host.:80",
        "ho..st:80",
        "host%eth0:80",
        "h\xC3\xB6st:80",
        LABEL_63 "z:80",
        "1:80",
        "127.1:80",
        "127.0.0.1.:80",
        "1.2.3.4.5:80",
        "256.1.1.1:80",
        "0.0.0.0:80",
        "0.1.2.3:80",
        "224.0.0.1:80",
        "255.255.255.255:80",
        "::1:80",
        "[::1]",
        "[::1]80",
        "[::1]:",
        "[::1:80",
        "[]:80",
        "[127.0.0.1]:80",
        "[localhost]:80",
        "[::1%lo]:80",
        "[::]:80",
        "[ff02::1]:80",
        "[fe80::1]:80",
        "[::ffff:127.0.0.1]:80",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char host[ENDPOINT_HOST_SIZE] = "#";
        uint16_t port = 7;
        if (endpoint_split(bad[i], host, &port) == NULL)
            fail_msg("'%s' was taken", bad[i]);
        assert_string_equal(host, "#");
        assert_int_equal(port, 7);
    }
}

/* Names of every length, the longest being 253 bytes. The text lies at the end of its memory. */
static void long_names(void **state)
{
    (void)state;
    for (size_t length = 1; length < 600; length++) {
        char *text = malloc(length + 3), host[ENDPOINT_HOST_SIZE];
        uint16_t port;
        assert_non_null(text);
        for (size_t i = 0; i < length; i++)
            text[i] = i % 50 == 49 && i + 1 < length ? '.' : 'a';
        memcpy(text + length, ":1", 3);
        assert_int_equal(endpoint_split(text, host, &port) == NULL, length <= 253);
        text[length] = '\0';
        assert_int_equal(endpoint_host_check(text) == NULL, length <= 253);
        free(text);
    }
}

static void literals(void **state)
{
    struct address address;
    char text[ADDRESS_TEXT_SIZE];

    (void)state;
    assert_true(endpoint_literal("10.1.2.3", 80, &address));
    address_format(&address, text);
    assert_string_equal(text, "10.1.2.3:80");
    assert_true(endpoint_literal("2001:DB8::0:1", 8775, &address));
    address_format(&address, text);
    assert_string_equal(text, "[2001:db8::1]:8775");
    memset(&address, 7, sizeof(address));
    assert_false(endpoint_literal("localhost", 80, &address));
    assert_int_equal(address.family, 7);
}

/* Addresses as a look-up may give them. */
static void reachable(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"10.0.0.1:80", true},   {"[2001:db8::1]:80", true}, {"[::1]:80", true},
        {"0.0.0.0:80", false},   {"239.1.1.1:80", false},    {"[::]:80", false},
        {"[ff05::1]:80", false}, {"[fe80::1]:80%lo", false}, {"[2001:db8::1]:80%lo", false},
    };
    struct address address;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_null(address_parse(cases[i].text, &address));
        assert_int_equal(endpoint_reachable(&address), cases[i].good);
    }
    memset(&address, 0, sizeof(address));
    assert_false(endpoint_reachable(&address));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(split),    cmocka_unit_test(not_split), cmocka_unit_test(long_names),
        cmocka_unit_test(literals), cmocka_unit_test(reachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
