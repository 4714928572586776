/*
 * Settings: the check that guards the worker, and the two sets of header names in every spelling.
 */
#include "tests/unit/unit.h"

#include "ipc/settings.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void good_settings(struct settings *settings)
{
    settings_default(settings);
    strcpy(settings->backend, "/metadata_proxy");
}

static void defaults(void **state)
{
    struct settings settings;

    (void)state;
    settings_default(&settings);
    assert_string_equal(settings_valid(&settings), "backend"); /* the one that has no default */
    good_settings(&settings);
    assert_null(settings_valid(&settings));
    assert_int_equal(settings.max_upstream_request, 4096);
    assert_int_equal(settings.timeout_http_request, 30000);
    assert_int_equal(settings.log_target, LOG_TO_SYSLOG);
    assert_int_equal(settings.log_facility, 3);
    assert_string_equal(settings.log_tag, "metaward");
    assert_int_equal(settings.max_networks, 1);
    assert_int_equal(settings.max_listeners, 16);
    assert_int_equal(settings.methods, SETTINGS_METHODS_ALL);
    assert_int_equal(settings.forward_count, 8);
    assert_string_equal(settings.forward[7], "x-aws-ec2-metadata-token-ttl-seconds");
}

/* Each number just within and just beyond its range; others follow, where they must fit together. */
static void ranges(void **state)
{
    struct settings settings;

    (void)state;
#define RANGE(name, standard, least, most, meaning)                                                          \
    {                                                                                                        \
        const uint32_t low = (least), high = (most);                                                         \
        good_settings(&settings);                                                                            \
        settings.max_connections = 16384;                                                                    \
        settings.max_in_flight = 1024;                                                                       \
        settings.max_head = 32768;                                                                           \
        settings.max_upstream_request = 131072;                                                              \
        settings.name = high;                                                                                \
        assert_null(settings_valid(&settings));                                                              \
        settings.name = high + 1;                                                                            \
        assert_string_equal(settings_valid(&settings), #name);                                               \
        settings.name = UINT32_MAX;                                                                          \
        assert_string_equal(settings_valid(&settings), #name);                                               \
        good_settings(&settings);                                                                            \
        settings.max_connections_per_source = settings.max_in_flight_per_source = 1;                         \
        settings.max_request_line = 64;                                                                      \
        settings.max_body = 0;                                                                               \
        settings.name = low;                                                                                 \
        assert_null(settings_valid(&settings));                                                              \
        settings.name = low - 1;                                                                             \
        assert_string_equal(settings_valid(&settings), #name);                                               \
    }
    METAWARD_LIMITS(RANGE)
    METAWARD_TABLES(RANGE)
    METAWARD_TIMEOUTS(RANGE)
#undef RANGE
}

#define SPOILT(change, field)                                                                                \
    do {                                                                                                     \
        good_settings(&settings);                                                                            \
        change;                                                                                              \
        assert_non_null(settings_valid(&settings));                                                          \
        assert_string_equal(settings_valid(&settings), field);                                               \
    } while (0)

static void spoilt_fields(void **state)
{
    struct settings settings;

    (void)state;
    SPOILT(settings.log_target = LOG_TO_COUNT, "log_target");
    SPOILT(settings.log_level = LOG_LEVEL_COUNT, "log_level");
    SPOILT(settings.forward_all = 2, "forward_all");
    SPOILT(settings.methods = 0, "methods");
    SPOILT(settings.methods = 1, "methods");
    SPOILT(settings.methods = 0xFF, "methods");
    SPOILT(settings.log_facility = 24, "log_facility");
    SPOILT(settings.upstream_reuse = 2, "upstream_reuse");
    SPOILT(settings.reserved = 1, "reserved");
    SPOILT(settings.utc_offset = 50401, "utc_offset");
    SPOILT(settings.utc_offset = -50401, "utc_offset");
    SPOILT(settings.utc_offset = INT32_MIN, "utc_offset");
    SPOILT(settings.backend[0] = '\0', "backend");
    SPOILT(strcpy(settings.backend, "/"), "backend");
    SPOILT(strcpy(settings.backend, "metadata_proxy"), "backend");
    SPOILT(strcpy(settings.backend, "/a/metadata_proxy"), "backend");
    SPOILT(strcpy(settings.backend, "/.."), "backend");
    SPOILT(settings.backend[4] = '\n', "backend");
    SPOILT(settings.backend[107] = 'x', "backend");
    SPOILT(memset(settings.backend + 1, 'x', 107), "backend");
}

static void spoilt_forward_list(void **state)
{
    struct settings settings;

    (void)state;
    SPOILT(settings.forward_count = 17, "forward");
    SPOILT(settings.forward_count = 9, "forward"); /* an empty name */
    SPOILT(settings.forward_count = 7, "forward"); /* an unused entry that is not empty */
    SPOILT(settings.forward_all = 1, "forward");
    SPOILT(settings.forward[0][0] = 'U', "forward");
    SPOILT(settings.forward[0][4] = '_', "forward");
    SPOILT(settings.forward[0][4] = ' ', "forward");
    SPOILT(settings.forward[0][4] = '\r', "forward");
    SPOILT(settings.forward[0][47] = 'x', "forward");
    SPOILT(memset(settings.forward[0], 'x', 48), "forward");
    SPOILT(strcpy(settings.forward[1], "x-forwarded-for"), "forward");
    SPOILT(strcpy(settings.forward[1], "x-ovn-network-id"), "forward");
    SPOILT(strcpy(settings.forward[1], "host"), "forward");
    SPOILT(strcpy(settings.forward[1], "transfer-encoding"), "forward");
    good_settings(&settings);
    settings.forward_all = 1;
    settings.forward_count = 0;
    memset(settings.forward, 0, sizeof(settings.forward));
    assert_null(settings_valid(&settings));
    settings.forward_all = 0; /* nothing at all */
    assert_null(settings_valid(&settings));
    memset(settings.forward[0], 'x', 47);
    settings.forward_count = 1;
    assert_null(settings_valid(&settings));
}

static void tags(void **state)
{
    struct settings settings;

    (void)state;
    SPOILT(strcpy(settings.log_tag, "a tag"), "log_tag");
    SPOILT(strcpy(settings.log_tag, "tag:"), "log_tag");
    SPOILT(strcpy(settings.log_tag, "tag[1]"), "log_tag");
    SPOILT(strcpy(settings.log_tag, "tag\n"), "log_tag");
    SPOILT(strcpy(settings.log_tag, "t\xc3\xa4g"), "log_tag");
    SPOILT(settings.log_tag[10] = 'a', "log_tag");
    SPOILT(memset(settings.log_tag, 'a', NETWORK_TAG_SIZE), "log_tag");
    SPOILT(memset(settings.log_tag, 0, NETWORK_TAG_SIZE), "log_tag");
    good_settings(&settings);
    memset(settings.log_tag, 0, NETWORK_TAG_SIZE);
    strcpy(settings.log_tag, "haproxy-metadata-proxy-" UUID);
    assert_null(settings_valid(&settings));
    memset(settings.log_tag, '~', NETWORK_TAG_SIZE - 1);
    settings.log_facility = 23;
    assert_null(settings_valid(&settings));
}

static void limits_that_do_not_fit(void **state)
{
    struct settings settings;

    (void)state;
    SPOILT(settings.max_connections_per_source = 1025, "max_connections_per_source");
    SPOILT(settings.max_in_flight_per_source = 257, "max_in_flight_per_source");
    SPOILT(settings.max_request_line = 8193, "max_request_line");
    SPOILT(settings.max_head = 2047, "max_request_line");
    SPOILT(settings.max_request_line = 3841, "max_request_line");
    SPOILT(settings.max_body = 3841, "max_body");
    good_settings(&settings);
    settings.max_body = settings.max_request_line = 3840;
    settings.max_connections_per_source = 1024;
    settings.max_in_flight_per_source = 256;
    assert_null(settings_valid(&settings));
}

static const char *const protected[] = {
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "Forwarded",
    "Via",
    "X-Real-IP",
    "X-Client-IP",
    "X-Neutron-Network-ID",
    "X-Neutron-Router-ID",
    "X-Neutron-Anything",
    "X-Neutron-",
    "X-OVN-Network-ID",
    "X-OVN-Router-ID",
    "X-OVN-x",
    "X-OVN-",
    "X-Instance-ID",
    "X-Instance-ID-Signature",
    "X-Tenant-ID",
    "X-Project-ID",
    "X-Metadata-Provider",
    "X-Metadata-Provider-Signature",
};

static const char *const hop_by_hop[] = {
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "HTTP2-Settings",
    "Content-Length",
    "Host",
    "Expect",
};

static const char *const harmless[] = {
    "",
    "X",
    "X-Neutron",
    "X-OVN",
    "XNeutron-Network-ID",
    "X-Forwarded",
    "X-Forwarded-Fo",
    "X-Forwarded-Forr",
    "Vi",
    "Viaa",
    "Metadata",
    "Metadata-Flavor",
    "X-Metadata-Provide",
    "X-Metadata-Providers",
    "X-Instance-IDs",
    "Accept",
    "User-Agent",
    "Content-Type",
    "Accept-Encoding",
    "X-aws-ec2-metadata-token",
    "Cookie",
    "Hosts",
    "T",
    "TEE",
    "Date",
    "Cookie2",
    "X-Neutro--Network-ID",
    "Y-Neutron-Network-ID",
    "Range",
    "If-None-Match",
    "Authorization",
};

typedef bool (*predicate)(const char *, size_t);

/* As it is, all capitals, all small, alternating, with '_' for each '-', and with a byte more or less or
 * changed. */
static void check_spellings(predicate is, const char *name)
{
    size_t length = strlen(name), fixed = length;
    char text[64];

    if (strncasecmp(name, "x-neutron-", 10) == 0)
        fixed = 10; /* whatever follows */
    else if (strncasecmp(name, "x-ovn-", 6) == 0)
        fixed = 6;

    for (unsigned style = 0; style < 8; style++) {
        for (size_t i = 0; i < length; i++) {
            int c = (unsigned char)name[i];
            if ((style & 3) == 1 || ((style & 3) == 3 && i % 2 == 0))
                c = toupper(c);
            else if ((style & 3) == 2 || (style & 3) == 3)
                c = tolower(c);
            text[i] = (char)(style & 4 && c == '-' ? '_' : c);
        }
        text[length] = '!'; /* must not be looked at */
        assert_true(is(text, length));
    }
    for (size_t i = 0; i < fixed; i++) { /* a byte with bit 5 or 7 the other way round is another byte */
        memcpy(text, name, length);
        text[i] = (char)(name[i] ^ 0x80);
        assert_false(is(text, length));
        if (!isalpha((unsigned char)name[i])) {
            text[i] = (char)(name[i] ^ 0x20);
            assert_false(is(text, length));
        }
    }
}

static void header_sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(protected); i++) {
        check_spellings(header_is_protected, protected[i]);
        assert_false(header_is_hop_by_hop(protected[i], strlen(protected[i])));
    }
    for (size_t i = 0; i < COUNT(hop_by_hop); i++) {
        check_spellings(header_is_hop_by_hop, hop_by_hop[i]);
        assert_false(header_is_protected(hop_by_hop[i], strlen(hop_by_hop[i])));
    }
    for (size_t i = 0; i < COUNT(harmless); i++) {
        assert_false(header_is_protected(harmless[i], strlen(harmless[i])));
        assert_false(header_is_hop_by_hop(harmless[i], strlen(harmless[i])));
    }
}

/* Every prefix of every name, so that no length picks a name that is longer. */
static void header_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(protected); i++) {
        size_t length = strlen(protected[i]);
        for (size_t cut = 0; cut < length; cut++) {
            bool itself = false;
            for (size_t j = 0; j < COUNT(protected); j++)
                itself |= strlen(protected[j]) == cut && strncasecmp(protected[i], protected[j], cut) == 0;
            itself |= cut >= 10 && strncasecmp(protected[i], "x-neutron-", 10) == 0;
            itself |= cut >= 6 && strncasecmp(protected[i], "x-ovn-", 6) == 0;
            assert_int_equal(header_is_protected(protected[i], cut), itself);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(ranges),
        cmocka_unit_test(spoilt_fields),
        cmocka_unit_test(spoilt_forward_list),
        cmocka_unit_test(limits_that_do_not_fit),
        cmocka_unit_test(tags),
        cmocka_unit_test(header_sets),
        cmocka_unit_test(header_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
