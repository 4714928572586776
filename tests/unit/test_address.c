/*
 * Addresses: one form for each, text and back, and the writer against the C library's.
 */
#include "tests/unit/unit.h"

#include "ipc/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void good_texts(void **state)
{
    static const struct {
        const char *text, *ip, *interface;
        uint8_t family;
        uint16_t port;
    } cases[] = {
        {"169.254.169.254:80", "169.254.169.254", "", ADDRESS_IPV4, 80},
        {"169.254.169.254:80%tap0", "169.254.169.254", "tap0", ADDRESS_IPV4, 80},
        {"0.0.0.0:9697", "0.0.0.0", "", ADDRESS_IPV4, 9697},
        {"255.255.255.255:65535", "255.255.255.255", "", ADDRESS_IPV4, 65535},
        {"[fe80::a9fe:a9fe]:80%tap0", "fe80::a9fe:a9fe", "tap0", ADDRESS_IPV6, 80},
        {"[fe80::1]:1%abcdefghijklmno", "fe80::1", "abcdefghijklmno", ADDRESS_IPV6, 1},
        {"[::]:9697", "::", "", ADDRESS_IPV6, 9697},
        {"[::1]:80", "::1", "", ADDRESS_IPV6, 80},
        {"[2001:db8::1]:80", "2001:db8::1", "", ADDRESS_IPV6, 80},
        {"[1:2:3:4:5:6:7:8]:80%eth0.5@if2", "1:2:3:4:5:6:7:8", "eth0.5@if2", ADDRESS_IPV6, 80},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct address address;
        char text[ADDRESS_TEXT_SIZE], ip[46];
        memset(&address, 0xAA, sizeof(address));
        assert_null(address_parse(cases[i].text, &address));
        assert_true(address_valid(&address));
        assert_int_equal(address.family, cases[i].family);
        assert_int_equal(address.port, cases[i].port);
        assert_string_equal(address.interface, cases[i].interface);
        assert_int_equal(address_format_ip(&address, ip), strlen(cases[i].ip));
        assert_string_equal(ip, cases[i].ip);
        assert_int_equal(address_format(&address, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static void bad_texts(void **state)
{
    static const char *const texts[] = {
        "",
        ":",
        ":80",
        "80",
        "1.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:0",
        "1.2.3.4:65536",
        "1.2.3.4:080",
        "1.2.3.4:-1",
        "1.2.3.4:99999999999",
        "1.2.3.4:80 ",
        " 1.2.3.4:80",
        "1.2.3.4 :80",
        "1.2.3.4:80%",
        "1.2.3.4:80%a%b",
        "1.2.3.4:80%a/b",
        "1.2.3.4:80%a:b",
        "1.2.3.4:80%a b",
        "1.2.3.4:80%.",
        "1.2.3.4:80%..",
        "1.2.3.4:80%a\n",
        "1.2.3.4:80%\x80",
        "1.2.3.4:80%abcdefghijklmnop",
        "1.2.3:80",
        "1.2.3.4.5:80",
        "1.2.3.256:80",
        "01.2.3.4:80",
        "0x1.2.3.4:80",
        "1.2.3.4\n:80",
        "localhost:80",
        "*:80",
        "::1:80",
        "fe80::1:80",
        ":::9697",
        "[::1]",
        "[::1]:",
        "[::1]80",
        "[::1:80",
        "::1]:80",
        "[]:80",
        "[:80",
        "]:80",
        "[1.2.3.4]:80",
        "[[::1]]:80",
        "[::1]]:80",
        "[fe80::1]:80",
        "[febf::1]:80",
        "[fe80::1%tap0]:80",
        "[fe80::1%tap0]:80%tap0",
        "[::ffff:1.2.3.4]:80",
        "[::ffff:102:304]:80",
        "[1:2:3:4:5:6:7:8:9]:80",
        "[1::2::3]:80",
        "[12345::]:80",
        "[g::]:80",
        "[::1]:80]:80",
        "1.2.3.4:80:80",
        "[0000:0000:0000:0000:0000:0000:0000:0000:0000]:80",
        "%:80",
        "1.2.3.4%tap0:80",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct address address, before;
        memset(&address, 0xAA, sizeof(address));
        before = address;
        const char *wrong = address_parse(texts[i], &address);
        if (wrong == NULL)
            fail_msg("\"%s\" was taken", texts[i]);
        assert_true(strlen(wrong) > 0);
        assert_memory_equal(&address, &before, sizeof(address));
    }
}

static void long_text(void **state)
{
    static char text[10241];
    struct address address;

    (void)state;
    for (const char *c = "1:[%a."; *c != '\0'; c++) {
        memset(text, *c, sizeof(text) - 1);
        assert_non_null(address_parse(text, &address));
        text[0] = '[';
        text[5000] = ']';
        text[5001] = ':';
        assert_non_null(address_parse(text, &address));
    }
}

/* address_valid() says yes exactly where the text form leads back to the same bytes. */
static void valid_means_readable(void **state)
{
    static const char *const texts[] = {"169.254.169.254:80%tap0", "[fe80::a9fe:a9fe]:80%tap0", "[::]:9697",
                                        "0.0.0.0:1"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct address original;
        assert_null(address_parse(texts[i], &original));
        for (size_t at = 0; at < sizeof(original); at++) {
            for (int value = 0; value < 256; value++) {
                struct address changed = original, back;
                char text[ADDRESS_TEXT_SIZE];
                ((unsigned char *)&changed)[at] = (unsigned char)value;
                size_t length = address_format(&changed, text);
                assert_true(length < ADDRESS_TEXT_SIZE && strlen(text) <= length);
                bool readable = strlen(text) == length && address_parse(text, &back) == NULL &&
                                memcmp(&back, &changed, sizeof(back)) == 0;
                assert_int_equal(address_valid(&changed), readable);
            }
        }
    }
}

static void written_like_rfc5952(void **state)
{
    static const struct {
        const char *given, *canonical;
    } cases[] = {
        {"0:0:0:0:0:0:0:0", "::"},
        {"0:0:0:0:0:0:0:1", "::1"},
        {"1:0:0:0:0:0:0:0", "1::"},
        {"1:0:0:0:0:0:0:1", "1::1"},
        {"FE80:0000:0000:0000:0000:0000:00A9:FE0A",
         "fe80::a9:fe0a"},                                /* 4.1, 4.3: no leading zeros, small letters */
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* 4.2.2: not for a single group */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          /* 4.2.3: the longest run */
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    /* 4.2.3: the first of two */
        {"0:0:1:0:0:0:0:0", "0:0:1::"},
        {"0:0:1:1:1:1:0:0", "::1:1:1:1:0:0"},
        {"0:1:1:1:1:1:1:1", "0:1:1:1:1:1:1:1"},
        {"1:1:1:1:1:1:1:0", "1:1:1:1:1:1:1:0"},
        {"a:b:c:d:e:f:0:0", "a:b:c:d:e:f::"},
        {"0:0:b:c:d:e:f:1", "::b:c:d:e:f:1"},
        {"10:100:1000:f00f:f0:f:0:1", "10:100:1000:f00f:f0:f:0:1"},
        {"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct address address = {.family = ADDRESS_IPV6};
        char text[46];
        assert_int_equal(inet_pton(AF_INET6, cases[i].given, address.ip), 1);
        size_t length = address_format_ip(&address, text);
        assert_string_equal(text, cases[i].canonical);
        assert_int_equal(length, strlen(text));
    }
}

/* Every pattern of zero groups, against the C library, which differs only in the IPv4-compatible addresses.
 */
static void written_like_libc(void **state)
{
    (void)state;
    for (unsigned pattern = 0; pattern < 256; pattern++) {
        for (unsigned variant = 0; variant < 8; variant++) {
            struct address address = {.family = ADDRESS_IPV6};
            char ours[46], theirs[46];
            for (unsigned group = 0; group < 8; group++) {
                static const uint16_t values[8] = {1, 0xFFFF, 0xA0, 0x10, 0xF00, 0x1000, 0xABCD, 0x7};
                unsigned value = pattern >> group & 1 ? values[(group + variant) % 8] : 0;
                address.ip[2 * group] = (uint8_t)(value >> 8);
                address.ip[2 * group + 1] = (uint8_t)value;
            }
            inet_ntop(AF_INET6, address.ip, theirs, sizeof(theirs));
            if (strchr(theirs, '.') != NULL)
                continue; /* ::a.b.c.d and ::ffff:a.b.c.d */
            assert_int_equal(address_format_ip(&address, ours), strlen(theirs));
            assert_string_equal(ours, theirs);
        }
    }
    for (unsigned i = 0; i < 256; i++) {
        struct address address = {
            .family = ADDRESS_IPV4,
            .ip = {(uint8_t)i, (uint8_t)(255 - i), (uint8_t)(i / 2), (uint8_t)(i % 11)}};
        char ours[46], theirs[46];
        inet_ntop(AF_INET, address.ip, theirs, sizeof(theirs));
        assert_int_equal(address_format_ip(&address, ours), strlen(theirs));
        assert_string_equal(ours, theirs);
    }
}

static void mapped_is_ipv4(void **state)
{
    struct address address = {.family = ADDRESS_IPV6, .port = 80};
    char text[46];

    (void)state;
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", address.ip), 1);
    assert_false(address_valid(&address)); /* it has another form */
    assert_int_equal(address_format_ip(&address, text), 9);
    assert_string_equal(text, "192.0.2.7");
    address.family = ADDRESS_NONE;
    assert_int_equal(address_format_ip(&address, text), 0);
    assert_string_equal(text, "");
}

static void longest_text_fits(void **state)
{
    struct address address = {.family = ADDRESS_IPV6, .port = 65535, .interface = "abcdefghijklmno"};
    char text[ADDRESS_TEXT_SIZE];

    (void)state;
    memset(address.ip, 0xDD, sizeof(address.ip));
    assert_true(address_valid(&address));
    assert_int_equal(address_format(&address, text), strlen("[") + 39 + strlen("]:65535%abcdefghijklmno"));
}

static void from_sockaddr(void **state)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(8080)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(80), .sin6_scope_id = 7};
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct address address;
    char text[46];

    (void)state;
    inet_pton(AF_INET, "192.0.2.1", &in4.sin_addr);
    assert_true(address_from_sockaddr((struct sockaddr *)&in4, sizeof(in4), &address));
    assert_true(address_valid(&address));
    assert_int_equal(address.port, 8080);
    address_format_ip(&address, text);
    assert_string_equal(text, "192.0.2.1");

    inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr);
    assert_true(address_from_sockaddr((struct sockaddr *)&in6, sizeof(in6), &address));
    assert_int_equal(address.family, ADDRESS_IPV4);
    assert_true(address_valid(&address));
    address_format_ip(&address, text);
    assert_string_equal(text, "192.0.2.1");

    inet_pton(AF_INET6, "fe80::5054:ff:fe12:3456", &in6.sin6_addr);
    assert_true(address_from_sockaddr((struct sockaddr *)&in6, sizeof(in6), &address));
    assert_int_equal(address.family, ADDRESS_IPV6);
    address_format_ip(&address, text);
    assert_string_equal(text, "fe80::5054:ff:fe12:3456");

    /* Short lengths are tried on memory that ends there, so that a sanitizer sees a read beyond it. */
    for (socklen_t length = sizeof(sa_family_t); length < sizeof(in6); length++) {
        struct sockaddr *small = malloc(length);
        assert_non_null(small);
        memcpy(small, &in6, length);
        assert_false(address_from_sockaddr(small, length, &address));
        assert_int_equal(address.family, ADDRESS_NONE);
        if (length <= sizeof(in4)) {
            memcpy(small, &in4, length);
            assert_int_equal(address_from_sockaddr(small, length, &address), length == sizeof(in4));
        }
        free(small);
    }
    assert_false(address_from_sockaddr((struct sockaddr *)&in4, 0, &address));
    assert_false(address_from_sockaddr(&other, sizeof(other), &address));
    assert_int_equal(address.family, ADDRESS_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts),
        cmocka_unit_test(bad_texts),
        cmocka_unit_test(long_text),
        cmocka_unit_test(valid_means_readable),
        cmocka_unit_test(written_like_rfc5952),
        cmocka_unit_test(written_like_libc),
        cmocka_unit_test(mapped_is_ipv4),
        cmocka_unit_test(longest_text_fits),
        cmocka_unit_test(from_sockaddr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
