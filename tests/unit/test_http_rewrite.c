/*
 * The fresh request towards the agent: golden texts for what a guest may send, and what it may not get
 * through.
 */
#include "tests/unit/guard.h"
#include "unpriv/http/rewrite.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UUID     "0123abcd-1111-2222-3333-444455556666"
#define IDENTITY "X-Forwarded-For: 192.0.2.7\r\nX-Neutron-Network-ID: " UUID "\r\n"
#define END      "Connection: close\r\n\r\n"
#define HOST_A   "Host: a\r\n"

static const struct http_limits limits = {
    .line = 2048, .head = 8192, .fields = 64, .body = 65536, .methods = SETTINGS_METHODS_ALL};

static struct network network;
static struct rewrite_from from = {.network = &network, .guest = "192.0.2.7"};

static struct settings by_list(void)
{
    struct settings settings;
    settings_default(&settings);
    network.identity = IDENTITY_NEUTRON_NETWORK;
    memcpy(network.uuid, UUID, sizeof UUID);
    return settings;
}

static struct settings by_all(void)
{
    struct settings settings = by_list();
    settings.forward_all = 1;
    settings.forward_count = 0;
    return settings;
}

/* Parse `input`, rewrite it into every size, and compare. The output must end where the forbidden page
 * starts. */
static void check_with(const struct settings *settings, const char *input, size_t body_length,
                       const char *expected)
{
    static struct http_request request;
    static char empty[8192];
    const size_t length = strlen(input), needed = strlen(expected);
    const char *placed = guard_at_start(input, length);
    http_request_begin(&request);
    assert_int_equal(http_request_parse(&request, placed, length, &limits), HTTP_DONE);
    for (size_t size = 0; size <= needed; size++) {
        char *out = guard_at_end(empty, size);
        const size_t written = http_rewrite(&request, placed, settings, &from, body_length, out, size);
        assert_int_equal(written, size < needed ? 0 : needed);
    }
    assert_memory_equal(guard_at_end(empty, 0) - needed, expected, needed);
}

static void check(const char *input, const char *expected)
{
    const struct settings settings = by_list();
    check_with(&settings, input, 0, expected);
}

static void check_all(const char *input, const char *expected)
{
    const struct settings settings = by_all();
    check_with(&settings, input, 0, expected);
}

/* What passes of these field lines (each with its line end), of a GET with "Host: a". */
static void check_fields(const struct settings *settings, const char *fields, const char *expected)
{
    char input[4096], output[4096];
    snprintf(input, sizeof input, "GET / HTTP/1.1\r\n" HOST_A "%s\r\n", fields);
    snprintf(output, sizeof output, "GET / HTTP/1.1\r\n" IDENTITY HOST_A "%s" END, expected);
    check_with(settings, input, 0, output);
}

static void test_request_line(void **state)
{
    (void)state;
    static const char *const lines[][3] = {
        {"GET /a//../b?c=%zz HTTP/1.1", "GET /a//../b?c=%zz HTTP/1.1", "a"},
        {"PATCH / HTTP/1.0", "PATCH / HTTP/1.1", "a"},
        {"HEAD / HTTP/1.7", "HEAD / HTTP/1.1", "a"},
        {"OPTIONS * HTTP/1.1", "OPTIONS * HTTP/1.1", "a"},
        {"GET http://B:80/x?y HTTP/1.1", "GET /x?y HTTP/1.1", "B:80"},
        {"GET http://b HTTP/1.1", "GET / HTTP/1.1", "b"},
        {"GET http://b?y HTTP/1.1", "GET /?y HTTP/1.1", "b"},
        {"OPTIONS http://b HTTP/1.1", "OPTIONS * HTTP/1.1", "b"},
        {"OPTIONS http://b?y HTTP/1.1", "OPTIONS /?y HTTP/1.1", "b"},
        {"OPTIONS http://b/ HTTP/1.1", "OPTIONS / HTTP/1.1", "b"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char input[256], expected[256];
        snprintf(input, sizeof input, "%s\r\n" HOST_A "\r\n", lines[i][0]);
        snprintf(expected, sizeof expected, "%s\r\n" IDENTITY "Host: %s\r\n" END, lines[i][1], lines[i][2]);
        check(input, expected);
    }
}

static void test_host(void **state)
{
    (void)state;
    static const char standard[] = "GET / HTTP/1.1\r\n" IDENTITY "Host: 169.254.169.254\r\n" END;
    check("GET / HTTP/1.0\r\n\r\n", standard);
    check("GET / HTTP/1.1\r\nHost:\r\n\r\n", standard);
    check("GET / HTTP/1.1\r\nhOST: [fe80::a9fe:a9fe%25eth0]:80\r\n\r\n",
          "GET / HTTP/1.1\r\n" IDENTITY "Host: [fe80::a9fe:a9fe%25eth0]:80\r\n" END);
}

static void test_identities(void **state)
{
    (void)state;
    static const struct {
        uint8_t identity;
        const char *name;
    } identities[] = {{IDENTITY_NEUTRON_NETWORK, "X-Neutron-Network-ID"},
                      {IDENTITY_NEUTRON_ROUTER, "X-Neutron-Router-ID"},
                      {IDENTITY_OVN_NETWORK, "X-OVN-Network-ID"},
                      {IDENTITY_OVN_ROUTER, "X-OVN-Router-ID"}};
    struct settings settings = by_list();
    for (size_t i = 0; i < sizeof identities / sizeof *identities; i++) {
        char expected[256];
        snprintf(expected, sizeof expected,
                 "GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.7\r\n%s: " UUID "\r\n" HOST_A END,
                 identities[i].name);
        network.identity = identities[i].identity;
        check_with(&settings, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, expected);
    }
    static struct http_request request;
    static const char input[] = "GET / HTTP/1.0\r\n\r\n";
    char out[256];
    http_request_begin(&request);
    assert_int_equal(http_request_parse(&request, input, sizeof input - 1, &limits), HTTP_DONE);
    network.identity = IDENTITY_NONE;
    assert_int_equal(http_rewrite(&request, input, &settings, &from, 0, out, sizeof out), 0);
    network.identity = IDENTITY_COUNT;
    assert_int_equal(http_rewrite(&request, input, &settings, &from, 0, out, sizeof out), 0);
    network.identity = IDENTITY_INSTANCE; /* whose record is not given */
    assert_int_equal(http_rewrite(&request, input, &settings, &from, 0, out, sizeof out), 0);
}

/* A guest that is known by a record gets its three headers; its own of these names reach nobody. */
static void test_instances(void **state)
{
    static const struct instance instance = {
        .id = UUID, .tenant = "project", .signature = "00ff", .family = ADDRESS_IPV4};
    struct settings settings = by_list();

    (void)state;
    settings.forward_all = 1;
    settings.forward_count = 0;
    memset(settings.forward, 0, sizeof settings.forward);
    network.identity = IDENTITY_INSTANCE;
    from.instance = &instance;
    check_with(&settings,
               "GET /a HTTP/1.1\r\nHost: a\r\nX-Instance-ID: b\r\nx_tenant_id: c\r\nx-Tenant-ID: c\r\n"
               "X-INSTANCE-ID-SIGNATURE: d\r\nX-Project-ID: e\r\n\r\n",
               0,
               "GET /a HTTP/1.1\r\nX-Forwarded-For: 192.0.2.7\r\nX-Instance-ID: " UUID
               "\r\nX-Tenant-ID: project\r\nX-Instance-ID-Signature: 00ff\r\n" HOST_A END);
    from.instance = NULL;
    network.identity = IDENTITY_NEUTRON_NETWORK;
}

/* The length is the body's that will follow, whatever the guest's framing was, and none where there was no
 * framing. */
static void test_body_length(void **state)
{
    (void)state;
    const struct settings settings = by_list();
    static const char head[] = "POST / HTTP/1.1\r\n" IDENTITY HOST_A;
    char expected[256];
    snprintf(expected, sizeof expected, "%sContent-Length: 5\r\n" END, head);
    check_with(&settings, "POST / HTTP/1.1\r\n" HOST_A "Content-Length: 0005\r\n\r\n", 5, expected);
    check_with(&settings, "POST / HTTP/1.1\r\n" HOST_A "Transfer-Encoding: chunked\r\n\r\n", 5, expected);
    check_with(&settings,
               "POST / HTTP/1.1\r\n" HOST_A "Connection: Content-Length\r\nContent-Length: 5\r\n\r\n", 5,
               expected);
    snprintf(expected, sizeof expected, "%sContent-Length: 0\r\n" END, head);
    check_with(&settings, "POST / HTTP/1.1\r\n" HOST_A "Content-Length: 0\r\n\r\n", 0, expected);
    snprintf(expected, sizeof expected, "%s" END, head);
    check_with(&settings, "POST / HTTP/1.1\r\n" HOST_A "\r\n", 0, expected);
}

static void test_list(void **state)
{
    (void)state;
    const struct settings settings = by_list();
    check_fields(
        &settings,
        "USER-agent:  curl/8 \r\nX-Other: 1\r\nAccept: */*\r\nMetadata-Flavor: Google\r\nCookie: c\r\n"
        "X-aws-ec2-metadata-token: a_b-c/d+e==\r\nMetadata: true\r\nContent-Type:\r\n"
        "Accept-Encoding: gzip\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n",
        "USER-agent: curl/8\r\nAccept: */*\r\nMetadata-Flavor: Google\r\n"
        "X-aws-ec2-metadata-token: a_b-c/d+e==\r\nMetadata: true\r\nContent-Type: \r\n"
        "Accept-Encoding: gzip\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n");
    check_fields(&settings, "Accept: 1\r\naccept: 2\r\nACCEPT: 3\r\n", "Accept: 1\r\n");
    check_fields(&settings, "Accep: 1\r\nAccept-: 2\r\nUser_Agent: 3\r\nX-Accept: 4\r\n", "");
    check_fields(&settings,
                 "User-Agent: caf\xE9\r\nAccept: a\x85"
                 "b\r\n",
                 "");
    check_fields(&settings, "Connection: Accept, user-AGENT\r\nAccept: 1\r\nUser-Agent: 2\r\nMetadata: 3\r\n",
                 "Metadata: 3\r\n");
}

static void test_long_values(void **state)
{
    (void)state;
    const struct settings settings = by_list(), all = by_all();
    char at_most[REWRITE_VALUE_MAX + 32], over[REWRITE_VALUE_MAX + 32], both[2 * sizeof over];
    snprintf(at_most, sizeof at_most, "Accept: %0*d\r\n", REWRITE_VALUE_MAX, 0);
    snprintf(over, sizeof over, "Accept: %0*d\r\n", REWRITE_VALUE_MAX + 1, 0);
    check_fields(&settings, at_most, at_most);
    check_fields(&settings, over, "");
    check_fields(&all, over, over);
    /* one that is dropped for its length does not stand in the way of the next */
    snprintf(both, sizeof both, "%s%s", over, at_most);
    check_fields(&settings, both, at_most);
}

static void test_forward_all(void **state)
{
    (void)state;
    const struct settings all = by_all();
    check_fields(&all, "X-Dup: one\r\nX!#$%&'*+.^`|~: 1\r\nX-Dup: two\r\nX-Tab: a\tb\r\nX-Empty:\r\n",
                 "X-Dup: one\r\nX!#$%&'*+.^`|~: 1\r\nX-Dup: two\r\nX-Tab: a\tb\r\nX-Empty: \r\n");
    check_fields(&all, "my_header: 1\r\nX-A: caf\xE9\r\nX-Forwarded-Format: 2\r\nX-Neutronium: 3\r\n",
                 "X-Forwarded-Format: 2\r\nX-Neutronium: 3\r\n");
    check_fields(
        &all,
        "Connection: x-a, Keep-Alive\r\nX-A: 1\r\nx-A: 2\r\nConnection: ,\tX-B ,\r\nX-B: 3\r\nX-C: 4\r\n",
        "X-C: 4\r\n");
    check_fields(&all,
                 "Keep-Alive: 5\r\nProxy-Connection: close\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\n"
                 "HTTP2-Settings: AA\r\nExpect: 100-continue\r\nX-C: 4\r\n",
                 "X-C: 4\r\n");
    check_all("POST / HTTP/1.1\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\nHost: a\r\n\r\n",
              "POST / HTTP/1.1\r\n" IDENTITY HOST_A "X-A: 1\r\nContent-Length: 0\r\n" END);
}

/* Spell a name in other ways: upper case, and '_' for the dashes that `mask` picks. */
static void spell(char *out, const char *name, unsigned mask, bool upper)
{
    unsigned dash = 0;
    for (; *name; name++, out++) {
        *out = *name;
        if (upper)
            *out = (char)toupper((unsigned char)*name);
        if (*name == '-' && mask & 1U << dash++)
            *out = '_';
    }
    *out = '\0';
}

static void test_protected(void **state)
{
    (void)state;
    static const char *const names[] = {"x-forwarded-for",
                                        "x-forwarded-host",
                                        "x-forwarded-proto",
                                        "x-forwarded-port",
                                        "x-forwarded-server",
                                        "forwarded",
                                        "via",
                                        "x-real-ip",
                                        "x-client-ip",
                                        "x-neutron-network-id",
                                        "x-neutron-router-id",
                                        "x-neutron-anything",
                                        "x-ovn-network-id",
                                        "x-ovn-router-id",
                                        "x-ovn-anything",
                                        "x-instance-id",
                                        "x-instance-id-signature",
                                        "x-tenant-id",
                                        "x-project-id",
                                        "x-metadata-provider",
                                        "x-metadata-provider-signature"};
    const struct settings all = by_all();
    struct settings careless = by_list();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        /* even where a list that settings_valid() would refuse names it */
        snprintf(careless.forward[0], sizeof careless.forward[0], "%s", names[i]);
        for (unsigned mask = 0; mask < 16; mask++) {
            char name[64], fields[256];
            spell(name, names[i], mask, mask & 1);
            snprintf(fields, sizeof fields, "%s: spoof\r\nAccept: 1\r\n%s:\r\n", name, name);
            check_fields(&all, fields, "Accept: 1\r\n");
            check_fields(&careless, fields, "Accept: 1\r\n");
            snprintf(fields, sizeof fields, "Connection: close, %s\r\n%s: spoof\r\n", name, name);
            check_fields(&all, fields, "");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_line), cmocka_unit_test(test_host),
        cmocka_unit_test(test_identities),   cmocka_unit_test(test_instances),
        cmocka_unit_test(test_body_length),  cmocka_unit_test(test_list),
        cmocka_unit_test(test_long_values),  cmocka_unit_test(test_forward_all),
        cmocka_unit_test(test_protected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
