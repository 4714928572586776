/*
 * The configuration of a host's proxy: what it leads to, every part of it broken in turn, and thousands of
 * guests.
 */
#include "ipc/instances.h"
#include "ipc/text.h"
#include "tests/unit/guard.h"
#include "tests/unit/unit.h"
#include "unpriv/reader/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ID_1 "0a0b0c0d-0000-4000-8000-000000000001"
#define ID_2 "0a0b0c0d-0000-4000-8000-000000000002"
#define TEXT (16 * 1024 * 1024 + 4096)

#define GLOBAL                                                                                               \
    "\nglobal\n    log /dev/log local0 debug\n    log-tag haproxy-host_metadata_proxy\n    user neutron\n"   \
    "    group neutron\n    maxconn 1024\n    daemon\n\n"
#define FRONTEND                                                                                             \
    "frontend public\n    bind            *:80 name clear\n    mode            http\n    log             "   \
    "global\n    option          httplog\n    option          dontlognull\n    maxconn         1000\n"       \
    "    timeout http-request    20s\n    timeout connect         30s\n    timeout client          32s\n"    \
    "    timeout server          32s\n    timeout http-keep-alive 10s\n\n    monitor-uri     /monitoruri\n"  \
    "    stats uri       /admin/stats\n\n"
#define ACLS                                                                                                 \
    "    acl instance_1_240.0.0.1 src 240.0.0.1\n\n    acl instance_2_fd00::2 src fd00::2\n\n"               \
    "    use_backend backend_1 if instance_1_240.0.0.1\n\n    use_backend backend_2 if "                     \
    "instance_2_fd00::2\n\n"
#define BACKEND(number, id)                                                                                  \
    "backend backend_" number "\n    mode            http\n    balance         roundrobin\n"                 \
    "    retries         3\n    option redispatch\n    timeout http-request    30s\n"                        \
    "    timeout connect         5s\n    timeout server          65s\n\n"                                    \
    "    http-request set-header X-Instance-ID " id "\n"                                                     \
    "    http-request set-header X-Tenant-ID project-" number "\n"                                           \
    "    http-request set-header X-Instance-ID-Signature 00aaFF" number "\n\n"                               \
    "    server metasrv controller.example.org:8775\n\n"
#define WHOLE    GLOBAL FRONTEND ACLS BACKEND("1", ID_1) BACKEND("2", ID_2)
#define REVERSED GLOBAL BACKEND("2", ID_2) BACKEND("1", ID_1) FRONTEND ACLS

static void parse(const char *text, size_t length, struct reading *reading)
{
    memset(reading, '#', sizeof(*reading));
    parse_file(guard_at_end(text, length), length, reading);
    assert_true(reading_valid(reading));
}

/* Let the parent's table take all batches of the file that was parsed last. */
static void take(const struct reading *reading)
{
    struct instance_batch batch;

    instances_begin(reading->instances);
    for (uint32_t first = 0; first < reading->instances; first += batch.count) {
        parse_batch(first, reading->instances, &batch);
        assert_true(instances_take(&batch));
    }
    assert_true(instances_whole());
    instances_commit();
    assert_int_equal(instances_count(), reading->instances);
}

static void same_instance(const struct instance *instance, const char *ip, const char *id, const char *tenant,
                          const char *signature)
{
    struct address address = {.family = instance->family};
    char shown[46];

    memcpy(address.ip, instance->ip, sizeof(address.ip));
    address_format_ip(&address, shown);
    assert_string_equal(shown, ip);
    assert_string_equal(instance->id, id);
    assert_string_equal(instance->tenant, tenant);
    assert_string_equal(instance->signature, signature);
}

static void guests_are_read_in_either_order(void **state)
{
    static const char *const texts[] = {WHOLE, REVERSED};

    (void)state;
    for (unsigned i = 0; i < COUNT(texts); i++) {
        struct instance_batch batch;
        struct reading reading;
        char shown[ADDRESS_TEXT_SIZE];

        parse(texts[i], strlen(texts[i]), &reading);
        if (!reading.ok)
            fail_msg("%u: %s: %s", (unsigned)reading.line, reading.word, reading.reason);
        assert_int_equal(reading.instances, 2);
        take(&reading);
        instances_batch(0, &batch);
        assert_int_equal(batch.count, 2);
        same_instance(&batch.entry[0], "240.0.0.1", ID_1, "project-1", "00aaFF1");
        same_instance(&batch.entry[1], "fd00::2", ID_2, "project-2", "00aaFF2");
        assert_int_equal(reading.config.listener_count, 1);
        address_format(&reading.config.listeners[0], shown);
        assert_string_equal(shown, "0.0.0.0:80");
    }
}

static void settings_are_read(void **state)
{
    const struct settings *settings;
    struct reading reading;

    (void)state;
    parse(WHOLE, strlen(WHOLE), &reading);
    settings = &reading.config.worker;
    assert_int_equal(reading.config.network.identity, IDENTITY_INSTANCE);
    assert_string_equal(reading.config.network.uuid, "");
    assert_string_equal(reading.config.network.log_tag, "haproxy-host_metadata_proxy");
    assert_string_equal(reading.config.agent_host, "controller.example.org");
    assert_int_equal(reading.config.agent_port, 8775);
    assert_string_equal(settings->monitor_path, "/monitoruri");
    assert_string_equal(settings->stats_path, "/admin/stats");
    assert_int_equal(settings->max_instances, INSTANCES_MOST);
    assert_int_equal(settings->max_connections, 1000);
    assert_int_equal(settings->timeout_http_request, 20000);
    assert_int_equal(settings->timeout_connect, 5000);
    assert_int_equal(settings->timeout_client, 32000);
    assert_int_equal(settings->timeout_server, 65000);
    assert_int_equal(settings->timeout_http_keep_alive, 10000);
    assert_int_equal(settings->log_level, LOG_LEVEL_REQUESTS);
    assert_int_equal(reading.config.daemonize, 1);
}

static void a_file_without_a_guest_is_good(void **state)
{
    struct reading reading;

    (void)state;
    parse(GLOBAL FRONTEND, strlen(GLOBAL FRONTEND), &reading);
    assert_int_equal(reading.ok, 1);
    assert_int_equal(reading.instances, 0);
    assert_string_equal(reading.config.agent_host, "127.0.0.1");
    assert_int_equal(reading.config.agent_port, 1);
    take(&reading);
}

static void files_cut_at_every_byte_are_refused(void **state)
{
    (void)state;
    /* Behind the last line there is one that is empty. */
    for (size_t cut = 0; cut + 1 < strlen(WHOLE); cut++) {
        struct reading reading;
        parse(WHOLE, cut, &reading);
        if (reading.ok && reading.instances != 0)
            fail_msg("the first %zu bytes were taken", cut);
    }
}

static void parse_changed(const char *from, const char *to, struct reading *reading)
{
    static char changed[2 * sizeof(WHOLE)];
    const char *place = strstr(WHOLE, from);

    if (place == NULL)
        fail_msg("'%s' does not occur", from);
    const int length =
        snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(place - WHOLE), WHOLE, to, place + strlen(from));
    parse(changed, (size_t)length, reading);
}

static void taken(const char *from, const char *to)
{
    struct reading reading;

    parse_changed(from, to, &reading);
    if (!reading.ok)
        fail_msg("'%s' for '%s': %u: %s: %s", to, from, (unsigned)reading.line, reading.word, reading.reason);
}

static void refused(const char *from, const char *to, const char *word, const char *reason)
{
    struct reading reading;

    parse_changed(from, to, &reading);
    if (reading.ok || strcmp(reading.word, word) != 0 || strstr(reading.reason, reason) == NULL)
        fail_msg("'%s' for '%s': %s%u: %s: %s", to, from, reading.ok ? "taken " : "", (unsigned)reading.line,
                 reading.word, reading.reason);
    assert_true((reading.line != 0) == (word[0] != '\0'));
}

static void broken_frontend(void **state)
{
    (void)state;
    refused("frontend public", "frontend private", "'private'", "not known");
    refused("frontend public", "listen listener\nfrontend public", "'frontend'", "in one file");
    refused("frontend public", "defaults\n mode http\nfrontend public", "'frontend'", "in one file");
    refused("\nbackend backend_1", "\nlisten listener\nbackend backend_1", "'listen'", "in one file");
    refused("\nbackend backend_1", "\nfrontend public\nbackend backend_1", "'frontend'", "given twice");
    refused("*:80", "*:0", "'*:0'", "port");
    refused("*:80", "*80", "'*80'", "PORT");
    refused("*:80 name clear", "*:80 name", "'name'", "missing");
    refused("*:80 name clear", "*:80", "'*:80'", "missing");
    refused("    bind            *:80 name clear\n", "", "", "bind");
    refused("    bind            *:80 name clear\n", "bind *:80 name clear\nbind *:81 name clear\n", "'bind'",
            "given twice");
    refused("    mode            http\n", "", "", "mode http");
    refused("maxconn         1000", "maxconn 0", "'0'", "range");
    refused("option          httplog", "option redispatch", "'redispatch'", "not known");
    refused("timeout client          32s", "timeout client 1ms", "'1ms'", "time");
    refused("timeout connect         30s", "timeout connect x", "'x'", "time");
    refused("/monitoruri", "monitoruri", "'monitoruri'", "path");
    refused("/monitoruri", "/", "'/'", "path");
    refused("/monitoruri", "/a/../b", "'/a/../b'", "path");
    refused("/monitoruri", "/a?b", "'/a?b'", "path");
    refused("/admin/stats", "/monitoruri", "'/monitoruri'", "same");
    refused("stats uri", "stats enable", "'enable'", "not known");
    taken("*:80", "127.0.0.1:80");
    taken("*:80", ":::80");
    taken("*:80", "[fd00::1]:80");
    taken("    stats uri       /admin/stats\n", "");
    taken("    monitor-uri     /monitoruri\n", "");
    taken("    user neutron\n    group neutron\n", "");
}

static void broken_guests(void **state)
{
    (void)state;
    refused("src 240.0.0.1", "src 240.0.0.0/8", "'240.0.0.0/8'", "IP address");
    refused("src 240.0.0.1", "src 0.0.0.0", "'0.0.0.0'", "one host");
    refused("src 240.0.0.1", "src ::", "'::'", "one host");
    refused("src 240.0.0.1", "src fd00:0::2", "'fd00::2'", "given before");
    refused("src fd00::2", "src ::ffff:240.0.0.1", "'::ffff:240.0.0.1'", "given before");
    refused("src 240.0.0.1", "src 240.0.0.1 240.0.0.2", "'240.0.0.2'", "not known");
    refused("src 240.0.0.1", "dst 240.0.0.1", "'dst'", "not known");
    refused("acl instance_2_fd00::2", "acl instance_1_240.0.0.1", "'instance_1_240.0.0.1'", "given twice");
    refused("acl instance_2_fd00::2", "acl a/b", "'a/b'", "name");
    refused("acl instance_2_fd00::2", "acl other", "'instance_2_fd00::2'", "no such acl");
    refused("use_backend backend_2 if instance_2_fd00::2", "", "'instance_2_fd00::2'", "use_backend");
    refused("use_backend backend_2 if instance_2_fd00::2", "use_backend backend_2 if instance_1_240.0.0.1",
            "'instance_1_240.0.0.1'", "second backend");
    refused("use_backend backend_2", "use_backend backend_1", "'backend_1'", "another guest");
    refused("use_backend backend_2", "use_backend backend_3", "'backend_3'", "no such backend");
    refused("use_backend backend_2 if instance_2_fd00::2", "use_backend backend_2 unless instance_2_fd00::2",
            "'unless'", "not known");
    refused("backend backend_2\n", "backend backend_2\nbackend backend_3\n", "'backend_2'", "mode http");
    refused("backend backend_2\n", "backend backend_1\n", "'backend_1'", "given twice");
    refused("backend backend_2\n", "backend b/2\n", "'b/2'", "name");
    refused("backend backend_2\n", "backend base_rate_limiter\n", "'backend'", "in one file");
    taken("src 240.0.0.1", "src ::ffff:240.0.0.1");
    taken("backend backend_2\n", "backend backend_2 # instance_2_fd00::2\n");
}

static void broken_backends(void **state)
{
    (void)state;
    refused(ID_1, "0a0b0c0d", "'0a0b0c0d'", "UUID");
    refused("project-1", "project/1", "'project/1'", "project");
    refused("project-1", "_1", "'_1'", "project");
    refused("project-1", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'", "project");
    refused("00aaFF1", "00aaFG1", "'00aaFG1'", "hexadecimal");
    refused("    http-request set-header X-Instance-ID " ID_1 "\n", "", "'backend_1'", "X-Instance-ID");
    refused("    http-request set-header X-Tenant-ID project-1\n", "", "'backend_1'", "X-Tenant-ID");
    refused("    http-request set-header X-Instance-ID-Signature 00aaFF1\n", "", "'backend_1'",
            "X-Instance-ID-Signature");
    refused("X-Tenant-ID project-1", "X-Instance-ID " ID_2, "'http-request'", "given twice");
    refused("X-Tenant-ID project-1", "X-Project-ID project-1", "'X-Project-ID'", "not known");
    refused("    server metasrv controller.example.org:8775\n", "", "'backend_1'", "server");
    refused("controller.example.org:8775", "other.example.org:8775", "'controller.example.org:8775'",
            "another server");
    refused("controller.example.org:8775", "controller.example.org", "'controller.example.org'", "PORT");
    refused("controller.example.org:8775", "-x:8775", "'-x:8775'", "");
    refused("controller.example.org:8775", "/run/socket", "'/run/socket'", "PORT");
    refused("balance         roundrobin", "balance source", "'source'", "not known");
    refused("timeout connect         5s", "timeout connect 6s", "'5s'", "another time");
    refused("timeout server          65s", "timeout server", "'server'", "missing");
    refused("    mode            http\n    balance", "    balance", "'backend_1'", "mode http");
    refused("retries         3", "retries three", "'three'", "number");
}

/* A file as Neutron writes it, with so many guests. */
static char *many(unsigned count, size_t *length)
{
    static char text[TEXT];
    size_t at = (size_t)snprintf(text, TEXT, "%s%s", GLOBAL, FRONTEND);

    for (unsigned i = 1; i <= count; i++)
        at += (size_t)snprintf(text + at, TEXT - at, "acl instance_%u src 240.1.%u.%u\n", i, i >> 8, i & 255);
    for (unsigned i = 1; i <= count; i++)
        at += (size_t)snprintf(text + at, TEXT - at, "use_backend backend_%u if instance_%u\n", i, i);
    for (unsigned i = 1; i <= count; i++)
        at += (size_t)snprintf(
            text + at, TEXT - at,
            "backend backend_%u\n mode http\n http-request set-header X-Instance-ID "
            "0a0b0c0d-0000-4000-8000-%012u\n http-request set-header X-Tenant-ID %032u\n"
            " http-request set-header X-Instance-ID-Signature %064u\n server m 10.0.0.1:8775\n",
            i, i, i, i);
    *length = at;
    return text;
}

static void thousands_of_guests_are_read_in_time(void **state)
{
    struct instance_batch batch;
    struct reading reading;
    size_t length;

    (void)state;
    const char *text = many(INSTANCES_MOST, &length);
    const clock_t start = clock();
    parse(text, length, &reading);
    assert_int_equal(reading.ok, 1);
    assert_int_equal(reading.instances, INSTANCES_MOST);
    take(&reading);
    assert_in_range(clock() - start, 0, 4 * CLOCKS_PER_SEC); /* a tenth of a second, without sanitizers */
    instances_batch(INSTANCES_MOST - 1, &batch);
    assert_int_equal(batch.count, 1);
    assert_string_equal(batch.entry[0].id, "0a0b0c0d-0000-4000-8000-000000016384");
    text = many(INSTANCES_MOST + 1, &length);
    parse(text, length, &reading);
    assert_int_equal(reading.ok, 0);
    assert_non_null(strstr(reading.reason, "16384"));
}

/* Every byte replaced by each of a hostile few: refused or taken, but never something else. */
static void files_with_any_byte_replaced_are_survived(void **state)
{
    static const char hostile[] = {'\0', '\n', ' ', '#', '/', ':', '\xFF', '0', '{'};
    char copy[] = WHOLE;

    (void)state;
    for (size_t i = 0; i < sizeof(copy) - 1; i++) {
        const char before = copy[i];
        for (unsigned j = 0; j < COUNT(hostile); j++) {
            struct reading reading;
            copy[i] = hostile[j];
            parse(copy, sizeof(copy) - 1, &reading);
            if (reading.ok)
                take(&reading);
        }
        copy[i] = before;
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(guests_are_read_in_either_order),
        cmocka_unit_test(settings_are_read),
        cmocka_unit_test(a_file_without_a_guest_is_good),
        cmocka_unit_test(files_cut_at_every_byte_are_refused),
        cmocka_unit_test(broken_frontend),
        cmocka_unit_test(broken_guests),
        cmocka_unit_test(broken_backends),
        cmocka_unit_test(thousands_of_guests_are_read_in_time),
        cmocka_unit_test(files_with_any_byte_replaced_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
