/*
 * The reader of configurations: every dialect, every directive broken in turn, and files cut anywhere.
 *
 * tests/configs/ holds a file for each form that Neutron's releases have written, whole and as they lay it
 * out. What all of them lead to is written down in `dialects` below.
 */
#include "unpriv/reader/parse.h"

#include "ipc/text.h"
#include "tests/unit/guard.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NETWORK "5f0f1f62-8b83-4b9a-9d23-6a7cf0c0a001"
#define ROUTER  "c2d4b7a8-31c5-4f0e-8a55-0b1de7f2a002"
#define PIDS    "/var/lib/neutron/external/pids/"
#define TAG     "haproxy-metadata-proxy-"
#define STATE   "/var/lib/neutron/metadata_proxy"
#define V4      "169.254.169.254:80"

struct dialect {
    const char *file;
    const char *listeners[2];
    enum identity_header identity;
    const char *uuid;
    const char *pid_file;
    const char *tag;
    const char *backend;
    const char *user;
    uint32_t times[5]; /* seconds: request, connect, client, server, keep-alive */
    struct rate_limit rates[NETWORK_RATES];
};

#define TIMES                                                                                                \
    {                                                                                                        \
        30, 30, 32, 32, 30                                                                                   \
    }

static const struct dialect dialects[] = {
    {"pike-dhcp",
     {"0.0.0.0:80"},
     IDENTITY_NEUTRON_NETWORK,
     NETWORK,
     PIDS NETWORK ".pid",
     "",
     STATE,
     "neutron",
     TIMES,
     {{0}}},
    {"pike-router",
     {"0.0.0.0:9697"},
     IDENTITY_NEUTRON_ROUTER,
     ROUTER,
     PIDS ROUTER ".pid",
     "",
     STATE,
     "neutron",
     TIMES,
     {{0}}},
    {"queens-ovn",
     {"0.0.0.0:80"},
     IDENTITY_OVN_NETWORK,
     NETWORK,
     PIDS NETWORK ".pid",
     "",
     "/var/lib/networking-ovn/metadata_proxy",
     "neutron",
     TIMES,
     {{0}}},
    {"rocky-router",
     {"0.0.0.0:9697"},
     IDENTITY_NEUTRON_ROUTER,
     ROUTER,
     PIDS ROUTER ".pid",
     TAG ROUTER,
     STATE,
     "neutron",
     TIMES,
     {{0}}},
    {"stein-dhcp",
     {V4},
     IDENTITY_NEUTRON_NETWORK,
     NETWORK,
     PIDS NETWORK ".pid",
     TAG NETWORK,
     "/opt/stack/data/neutron/metadata_proxy",
     "stack",
     TIMES,
     {{0}}},
    {"ussuri-dhcp",
     {V4},
     IDENTITY_NEUTRON_NETWORK,
     NETWORK,
     PIDS NETWORK ".pid.haproxy",
     TAG NETWORK,
     STATE,
     "neutron",
     TIMES,
     {{0}}},
    {"victoria-router",
     {"[::]:9697"},
     IDENTITY_NEUTRON_ROUTER,
     ROUTER,
     PIDS ROUTER ".pid.haproxy",
     TAG ROUTER,
     STATE,
     "neutron",
     TIMES,
     {{0}}},
    {"wallaby-dhcp",
     {V4, "[fe80::a9fe:a9fe]:80%tap5f0f1f62-8b"},
     IDENTITY_NEUTRON_NETWORK,
     NETWORK,
     PIDS NETWORK ".pid.haproxy",
     TAG NETWORK,
     STATE,
     "neutron",
     TIMES,
     {{0}}},
    {"yoga-ovn",
     {V4},
     IDENTITY_OVN_NETWORK,
     NETWORK,
     PIDS NETWORK ".pid.haproxy",
     TAG NETWORK,
     STATE,
     "root",
     TIMES,
     {{0}}},
    {"zed-ovn",
     {V4, "[fe80::a9fe:a9fe]:80%tap5f0f1f62-81"},
     IDENTITY_OVN_NETWORK,
     NETWORK,
     PIDS NETWORK ".pid.haproxy",
     TAG NETWORK,
     STATE,
     "neutron",
     TIMES,
     {{0}}},
    {"2023.2-dhcp-rate-ip",
     {V4},
     IDENTITY_NEUTRON_NETWORK,
     NETWORK,
     PIDS NETWORK ".pid.haproxy",
     TAG NETWORK,
     STATE,
     "neutron",
     TIMES,
     {{60, 100}, {10, 20}}},
    {"2023.2-ovn-rate-ipv6",
     {V4, "[fe80::a9fe:a9fe]:80%tap5f0f1f62-81"},
     IDENTITY_OVN_NETWORK,
     NETWORK,
     PIDS NETWORK ".pid.haproxy",
     TAG NETWORK,
     STATE,
     "neutron",
     TIMES,
     {{10, 10}, {10, 10}}},
    {"2024.2-router",
     {"[::]:9697"},
     IDENTITY_NEUTRON_ROUTER,
     ROUTER,
     PIDS ROUTER ".pid.haproxy",
     TAG ROUTER,
     STATE,
     "neutron.svc",
     {10, 5, 120, 65, 15},
     {{0}}},
    {"2025.2-dhcp",
     {V4, "[fe80::a9fe:a9fe]:80%tap5f0f1f62-8b"},
     IDENTITY_NEUTRON_NETWORK,
     NETWORK,
     PIDS NETWORK ".pid.haproxy",
     TAG NETWORK,
     STATE,
     "neutron",
     TIMES,
     {{0}}},
    {"2025.2-router-rate",
     {"[::]:9697"},
     IDENTITY_NEUTRON_ROUTER,
     ROUTER,
     PIDS ROUTER ".pid.haproxy",
     TAG ROUTER,
     STATE,
     "neutron",
     TIMES,
     {{60, 200}, {1, 30}}},
    {"master-ovn",
     {V4, "[fe80::a9fe:a9fe]:80%tap5f0f1f62-81"},
     IDENTITY_OVN_NETWORK,
     NETWORK,
     PIDS NETWORK ".pid.haproxy",
     TAG NETWORK,
     STATE,
     "neutron",
     TIMES,
     {{0}}},
    {"ovn-router",
     {V4},
     IDENTITY_OVN_ROUTER,
     ROUTER,
     PIDS ROUTER ".pid.haproxy",
     TAG ROUTER,
     STATE,
     "neutron",
     TIMES,
     {{0}}},
};

/* A file of tests/configs/. @return its length; the text is valid until the next call, NUL-terminated */
static size_t load(const char *name, const char **text)
{
    static char content[READING_FILE_MAX];
    char path[512];
    const char *folder = getenv("METAWARD_CONFIGS");

    snprintf(path, sizeof(path), "%s/%s.conf", folder != NULL ? folder : "tests/configs", name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s can't be opened", path);
    const size_t length = fread(content, 1, sizeof(content) - 1, file);
    fclose(file);
    content[length] = '\0';
    *text = content;
    return length;
}

/* Parse a copy that ends at a forbidden page. The reading must be one that the parent would take. */
static void parse(const char *text, size_t length, struct reading *reading)
{
    memset(reading, '#', sizeof(*reading));
    parse_file(guard_at_end(text, length), length, reading);
    assert_true(reading_valid(reading));
}

static void same_listeners(const struct config *config, const struct dialect *dialect)
{
    const unsigned count = dialect->listeners[1] != NULL ? 2 : 1;
    char shown[ADDRESS_TEXT_SIZE];

    assert_int_equal(config->listener_count, count);
    for (unsigned i = 0; i < count; i++) {
        address_format(&config->listeners[i], shown);
        assert_string_equal(shown, dialect->listeners[i]);
    }
}

static void same_settings(const struct config *config, const struct dialect *dialect)
{
    const struct settings *settings = &config->worker;
    const struct network *network = &config->network;
    const uint32_t times[] = {settings->timeout_http_request, settings->timeout_connect,
                              settings->timeout_client, settings->timeout_server,
                              settings->timeout_http_keep_alive};

    assert_int_equal(network->identity, dialect->identity);
    assert_string_equal(network->uuid, dialect->uuid);
    assert_string_equal(network->log_tag, dialect->tag);
    if (dialect->tag[0] != '\0')
        assert_string_equal(settings->log_tag, dialect->tag);
    else
        assert_string_equal(settings->log_tag + strlen("metaward-"), dialect->uuid);
    assert_int_equal(settings->log_target, LOG_TO_SYSLOG);
    assert_int_equal(settings->log_level, LOG_LEVEL_REQUESTS);
    assert_int_equal(settings->log_facility, 16);
    assert_int_equal(settings->max_connections, 1024);
    for (unsigned i = 0; i < COUNT(times); i++)
        assert_int_equal(times[i], dialect->times[i] * 1000);
    assert_memory_equal(network->rate, dialect->rates, sizeof(dialect->rates));
    assert_int_equal(network->rate_shadow, 0);
}

static void dialects_are_read(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT(dialects); i++) {
        const struct dialect *dialect = &dialects[i];
        struct reading reading;
        const char *text;
        const size_t length = load(dialect->file, &text);

        parse(text, length, &reading);
        if (!reading.ok)
            fail_msg("%s:%u: %s: %s", dialect->file, (unsigned)reading.line, reading.word, reading.reason);
        same_listeners(&reading.config, dialect);
        same_settings(&reading.config, dialect);
        assert_string_equal(reading.config.pid_file, dialect->pid_file);
        assert_string_equal(reading.config.backend, dialect->backend);
        assert_string_equal(reading.config.user, dialect->user);
        assert_int_equal(reading.config.daemonize, 1);
    }
}

/* The identity stands last, so no part of a file is whole. */
static void files_cut_at_every_byte_are_refused(void **state)
{
    static char copy[READING_FILE_MAX];

    (void)state;
    for (unsigned i = 0; i < COUNT(dialects); i++) {
        const char *text;
        const size_t length = load(dialects[i].file, &text);

        memcpy(copy, text, length);
        for (size_t cut = 0; cut < length; cut++) {
            struct reading reading;
            parse(copy, cut, &reading);
            if (reading.ok)
                fail_msg("%s: the first %zu bytes were taken", dialects[i].file, cut);
        }
    }
}

/* Every byte of a file replaced by each byte of a hostile few: refused or taken, but never something else. */
static void files_with_any_byte_replaced_are_survived(void **state)
{
    static const char hostile[] = {'\0', '\n', '\r', '\t',   ' ',    '#', '"',
                                   '\\', '/',  ':',  '\x7F', '\xFF', '0', '{'};
    static char copy[READING_FILE_MAX];
    const char *text;
    const size_t length = load("2023.2-ovn-rate-ipv6", &text);

    (void)state;
    memcpy(copy, text, length);
    for (size_t i = 0; i < length; i++) {
        const char before = copy[i];
        for (unsigned j = 0; j < COUNT(hostile); j++) {
            struct reading reading;
            copy[i] = hostile[j];
            parse(copy, length, &reading);
        }
        copy[i] = before;
    }
}

/* Parse the file with rates, `from` replaced by `to` where it occurs first. */
static void parse_changed(const char *from, const char *to, struct reading *reading)
{
    static char changed[2 * READING_FILE_MAX];
    const char *text;

    load("2023.2-ovn-rate-ipv6", &text);
    const char *place = strstr(text, from);
    if (place == NULL)
        fail_msg("'%s' does not occur", from);
    const int length =
        snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(place - text), text, to, place + strlen(from));
    parse(changed, (size_t)length, reading);
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

static void taken(const char *from, const char *to)
{
    struct reading reading;

    parse_changed(from, to, &reading);
    if (!reading.ok)
        fail_msg("'%s' for '%s': %u: %s: %s", to, from, (unsigned)reading.line, reading.word, reading.reason);
}

static void broken_global_lines(void **state)
{
    (void)state;
    refused("global", "globl", "'globl'", "not a directive of this section");
    refused("\nglobal", "\nuser x\nglobal", "'user'", "not a directive of this section");
    refused("defaults", "global", "'global'", "given twice");
    refused("/dev/log", "/dev/null", "'/dev/null'", "/dev/log");
    refused("/dev/log", "127.0.0.1", "'127.0.0.1'", "/dev/log");
    refused("local0", "local8", "'local8'", "facility");
    refused("local0 info", "local0 notice", "'notice'", "level");
    refused("local0 info", "local0", "'local0'", "missing");
    refused("local0 info", "local0 info info", "'info'", "not known");
    refused("log-tag     haproxy", "log-tag     :haproxy",
            "':haproxy-metadata-proxy-5f0f1f62-8b83-4b9a-9d23-...'", "tag");
    refused("log-tag", "log-tags", "'log-tags'", "section");
    refused("user        neutron", "user        -1", "'-1'", "name");
    refused("user        neutron", "user        neutron\n    user neutron", "'user'", "given twice");
    refused("group       neutron", "group", "'group'", "missing");
    refused("group       neutron", "group a/b", "'a/b'", "name");
    refused("maxconn     1024", "maxconn 0", "'0'", "range");
    refused("maxconn     1024", "maxconn 1024k", "'1024k'", "range");
    refused("maxconn     1024", "maxconn 4294967297", "'4294967297'", "range");
    refused("maxconn     1024", "nbthread two", "'two'", "number");
    refused("pidfile     /", "pidfile ", "'var/lib/neutron/external/pids/5f0f1f62-8b83-4b9a...'", "path");
    refused("pids/", "pids/../", "'/var/lib/neutron/external/pids/../5f0f1f62-8b83-...'", "path");
    refused("daemon", "daemon on", "'on'", "not known");
    refused("daemon", "chroot /var/empty", "'chroot'", "section");
    refused("daemon", "stats socket /tmp/x", "'stats'", "section");
}

static void broken_defaults(void **state)
{
    (void)state;
    refused("log global", "log /dev/log", "'/dev/log'", "not known");
    refused("log global", "log global\n log global", "'log'", "given twice");
    refused("mode http", "mode tcp", "'tcp'", "not known");
    refused("    mode http\n", "", "", "mode http");
    refused("option httplog", "option tcplog", "'tcplog'", "not known");
    refused("option forwardfor", "option forwardfor except 127.0.0.1", "'except'", "not known");
    refused("option forwardfor", "option redispatch", "'redispatch'", "not known");
    refused("retries                 3", "retries three", "'three'", "number");
    refused("connect         30s", "connect", "'connect'", "missing");
    refused("connect         30s", "connect -1s", "'-1s'", "time");
    refused("connect         30s", "connect 30x", "'30x'", "time");
    refused("connect         30s", "connect 30", "'30'", "100ms");
    refused("connect         30s", "connect 99999999999s", "'99999999999s'", "time");
    refused("timeout connect", "timeout queue", "'queue'", "not known");
    refused("timeout connect", "timeout client", "'timeout'", "given twice");
}

static void broken_listener(void **state)
{
    (void)state;
    refused("listen listener", "listen other", "'other'", "not known");
    refused("listen listener", "frontend public", "'frontend'", "in one file");
    refused("bind 169.254.169.254:80", "bind *:80 name clear", "'name'", "not known");
    refused("bind 169.254.169.254:80", "bind 169.254.169.254", "'169.254.169.254'", "ADDRESS:PORT");
    refused("bind 169.254.169.254:80", "bind :80", "':80'", "ADDRESS:PORT");
    refused("bind 169.254.169.254:80", "bind 169.254.169.256:80", "'169.254.169.256:80'", "");
    refused("bind 169.254.169.254:80", "bind 169.254.169.254:0", "'169.254.169.254:0'", "");
    refused("bind 169.254.169.254:80", "bind 169.254.169.254:80-81", "'169.254.169.254:80-81'", "");
    refused("bind 169.254.169.254:80", "bind /var/run/x.sock", "'/var/run/x.sock'", "ADDRESS:PORT");
    refused("bind 169.254.169.254:80", "bind 1.2.3.4:80\n bind 1.2.3.4:80", "'1.2.3.4:80'", "given twice");
    refused("bind fe80::a9fe:a9fe:80 interface tap5f0f1f62-81", "bind fe80::a9fe:a9fe:80",
            "'fe80::a9fe:a9fe:80'", "");
    refused("interface tap5f0f1f62-81", "interface ../etc", "'fe80::a9fe:a9fe:80'", "");
    refused("interface tap5f0f1f62-81", "interface 0123456789abcdef", "'fe80::a9fe:a9fe:80'", "");
    refused("interface tap5f0f1f62-81", "interface", "'interface'", "missing");
    refused("interface tap5f0f1f62-81", "ssl crt /x", "'ssl'", "not known");
    refused("fe80::a9fe:a9fe:80", "[fe80::a9fe:a9fe:80", "'[fe80::a9fe:a9fe:80'", "");
    refused("server metadata /", "server metadata ", "'var/lib/neutron/metadata_proxy'", "socket");
    refused("server metadata", "server -x", "'-x'", "name");
    refused("/metadata_proxy\n", "/metadata_proxy check\n", "'check'", "not known");
    refused("/metadata_proxy\n", "/metadata_proxy\n server b /x/y\n", "'server'", "given twice");
    refused("server metadata /var/lib/neutron/metadata_proxy", "server metadata /socket", "", "root");
    refused("    bind 169.254.169.254:80\n    bind fe80::a9fe:a9fe:80 interface tap5f0f1f62-81\n", "", "",
            "no 'bind'");
    refused("    server metadata /var/lib/neutron/metadata_proxy\n", "", "", "no 'server'");
}

static void broken_identities(void **state)
{
    (void)state;
    refused("http-request add-header X-OVN-Network-ID", "#", "", "identity");
    refused("X-OVN-Network-ID", "X-Tenant-ID", "'X-Tenant-ID'", "identity");
    refused("X-OVN-Network-ID 5", "X-OVN-Network-ID g", "'gf0f1f62-8b83-4b9a-9d23-6a7cf0c0a001'", "UUID");
    refused("X-OVN-Network-ID 5", "X-OVN-Network-ID 55", "'55f0f1f62-8b83-4b9a-9d23-6a7cf0c0a001'", "UUID");
    refused("X-OVN-Network-ID 5", "X-OVN-Network-ID %[src]5", "'%[src]5f0f1f62-8b83-4b9a-9d23-6a7cf0c0a001'",
            "UUID");
    refused("    http-request add-header",
            "    http-request add-header X-OVN-Router-ID " ROUTER "\n    http-request add-header",
            "'X-OVN-Network-ID'", "second");
    refused("add-header X-OVN-Network-ID", "del-header X-Other\n http-request add-header X-OVN-Network-ID",
            "'X-Other'", "identity");
    refused("add-header", "replace-header", "'replace-header'", "not known");
    refused("X-OVN-Network-ID " NETWORK, "X-OVN-Network-ID " NETWORK " if TRUE", "'if'", "not known");
}

static void broken_rates(void **state)
{
    (void)state;
    refused("backend base_rate_limiter", "backend other", "'backend'", "in one file");
    refused("backend burst_rate_limiter", "backend base_rate_limiter", "'backend'", "given twice");
    refused("type ipv6", "type string", "'string'", "not known");
    refused("size 10k", "size 10m", "'10m'", "not known");
    refused("expire 10s", "expire 9s", "'9s'", "shorter");
    refused("http_req_rate(10s)", "http_req_rate(10s", "'http_req_rate(10s'", "rate");
    refused("http_req_rate(10s)", "http_req_rate()", "'http_req_rate()'", "rate");
    refused("http_req_rate(10s)", "http_req_rate(10)", "'http_req_rate(10)'", "whole seconds");
    refused("http_req_rate(10s)", "http_req_rate(1500ms)", "'http_req_rate(1500ms)'", "whole seconds");
    refused("http_req_rate(10s)", "gpc0", "'gpc0'", "rate");
    refused("http_req_rate(10s)",
            "http_req_rate(10s)\n stick-table type ip size 10k expire 10s store http_req_rate(10s)",
            "'stick-table'", "given twice");
    refused("track-sc0 src table base", "track-sc0 src table burst", "'burst_rate_limiter'", "counter");
    refused("track-sc0 src", "track-sc0 dst", "'dst'", "not known");
    refused("track-sc0", "track-sc2", "'track-sc2'", "not known");
    refused("rate(base_rate_limiter)", "rate(other)", "'src_http_req_rate(other)'", "no such table");
    refused("rate(base_rate_limiter)", "rate(burst_rate_limiter)", "'src_http_req_rate(burst_rate_limiter)'",
            "given twice");
    refused("gt 10 }", "gt 0 }", "'0'", "range");
    refused("gt 10 }", "gt ten }", "'ten'", "range");
    refused("gt 10 }", "lt 10 }", "'lt'", "not known");
    refused("gt 10 }", "gt 10", "'10'", "missing");
    refused("deny_status 429", "deny_status 403", "'403'", "not known");
    refused("    http-request track-sc1 src table burst_rate_limiter\n", "", "", "not whole");
    refused("    http-request deny deny_status 429 if { src_http_req_rate(base_rate_limiter) gt 10 }\n", "",
            "", "not whole");
    refused(
        "backend base_rate_limiter\n    stick-table type ipv6 size 10k expire 10s store http_req_rate(10s)",
        "", "'base_rate_limiter'", "no such table");
}

static void hostile_text(void **state)
{
    static char line[READING_FILE_MAX + 1];

    (void)state;
    refused("daemon", "dae\rmon", "'\\x0Dmon'", "control byte");
    refused("daemon\n", "daemon\r\n", "'\\x0D'", "control byte");
    refused("daemon", "# \x1B[2J", "'\\x1B[2J'", "control byte");
    refused("daemon", "\x7F", "'\\x7F'", "control byte");
    refused("user        neutron", "user n\xC3\xA4utron", "'n\\xC3\\xA4utron'", "printable");
    refused("user        neutron", "user \"neutron\"", "'\"neutron\"'", "quotes");
    refused("user        neutron", "user 'neutron'", "'\\x27neutron\\x27'", "quotes");
    refused("user        neutron", "user a\\ b", "'a\\x5C'", "quotes");
    refused("user        neutron", "user $USER", "'$USER'", "quotes");
    refused("daemon", "a b c d e f g h i j k l m n o p q", "'p'", "many words");
    memset(line, 'a', 60000);
    refused("daemon", line, "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'", "section");
    memcpy(line, "pidfile /", 9);
    refused("pidfile     /var", line, "'/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'", "path");
    memset(line + 9, '/', 50000);
    line[50000] = '\0';
    taken("pidfile     /var", line);
}

/* What differs from the files as they are written, and is understood all the same. */
static void other_forms(void **state)
{
    (void)state;
    taken("local0 info", "local7 debug # as it was");
    taken("    daemon\n", "");
    taken("    user        neutron\n    group       neutron\n", "");
    taken("    pidfile     /var/lib/neutron/external/pids/" NETWORK ".pid.haproxy\n", "");
    taken("    retries", "\t  retries");
    taken("    option dontlognull\n    option http-server-close\n", "");
    taken("bind fe80::a9fe:a9fe:80 interface", "bind [fe80::a9fe:a9fe]:80 interface");
    taken("bind 169.254.169.254:80", "bind 169.254.169.254:80 interface lo");
    taken("pids/", "pids//");
    taken("server metadata /var/lib", "server a.b-c_1 //var///lib");
    taken("http-request add-header", "http-request del-header X-Neutron-Router-ID\n http-request set-header");
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        uint32_t milliseconds;
    } cases[] = {{"100", 100},   {"30000", 30000},   {"100ms", 100},     {"1s", 1000},
                 {"2m", 120000}, {"3600s", 3600000}, {"3601s", 3600000}, {"2147483s", 3600000},
                 {"0", 3600000}, {"0s", 3600000},    {"86400s", 3600000}};

    (void)state;
    for (unsigned i = 0; i < COUNT(cases); i++) {
        struct reading reading;
        char line[64];
        snprintf(line, sizeof(line), "timeout server %s", cases[i].text);
        parse_changed("timeout server          32s", line, &reading);
        assert_int_equal(reading.ok, 1);
        assert_int_equal(reading.config.worker.timeout_server, cases[i].milliseconds);
    }
}

static void logs(void **state)
{
    struct reading reading;

    (void)state;
    parse_changed("log         /dev/log local0 info", "# no log", &reading);
    assert_int_equal(reading.ok, 1);
    assert_int_equal(reading.config.worker.log_target, LOG_TO_NONE);
    parse_changed("log global", "# no requests", &reading);
    assert_int_equal(reading.ok, 1);
    assert_int_equal(reading.config.worker.log_target, LOG_TO_SYSLOG);
    assert_int_equal(reading.config.worker.log_level, LOG_LEVEL_EVENTS);
    parse_changed("local0", "daemon", &reading);
    assert_int_equal(reading.config.worker.log_facility, LOG_FACILITY_DAEMON);
    parse_changed("local0", "local7", &reading);
    assert_int_equal(reading.config.worker.log_facility, LOG_FACILITY_MOST);
}

static void a_few_connections_are_all_for_one_source(void **state)
{
    struct reading reading;

    (void)state;
    parse_changed("maxconn     1024", "maxconn 10", &reading);
    assert_int_equal(reading.ok, 1);
    assert_int_equal(reading.config.worker.max_connections, 10);
    assert_int_equal(reading.config.worker.max_connections_per_source, 10);
}

/* test_hostproxy.c has the rest. */
static void the_host_proxy_is_read(void **state)
{
    struct reading reading;
    const char *text;
    const size_t length = load("host-proxy", &text);

    (void)state;
    parse(text, length, &reading);
    assert_int_equal(reading.ok, 1);
    assert_int_equal(reading.instances, 1);
    assert_int_equal(reading.config.network.identity, IDENTITY_INSTANCE);
    assert_string_equal(reading.config.worker.monitor_path, "/check");
}

/* 16 MiB are read, one byte more is not. */
static void the_size_is_limited(void **state)
{
    static char big[READING_FILE_MAX + 1];
    struct reading reading;
    const char *text;
    const size_t length = load("zed-ovn", &text);

    (void)state;
    memset(big, '#', sizeof(big));
    memcpy(big, text, length);
    big[READING_FILE_MAX - 1] = '\n';
    big[READING_FILE_MAX] = '\n';
    parse(big, READING_FILE_MAX, &reading);
    assert_int_equal(reading.ok, 1);
    parse(big, READING_FILE_MAX + 1, &reading);
    assert_int_equal(reading.ok, 0);
    assert_string_equal(reading.reason, "the file is larger than 16 MiB");
    parse("", 0, &reading);
    assert_int_equal(reading.ok, 0);
    big[READING_FILE_MAX - 1] = '#';
    parse(big, READING_FILE_MAX, &reading);
    assert_string_equal(reading.reason, "the file ends within a line");
}

/* Spoil one thing in a good reading. */
#define SPOILT(base, change)                                                                                 \
    do {                                                                                                     \
        struct reading reading = base;                                                                       \
        change;                                                                                              \
        if (reading_valid(&reading))                                                                         \
            fail_msg("taken with %s", #change);                                                              \
    } while (0)

static void spoilt_configurations(void **state)
{
    struct reading good;

    (void)state;
    parse_changed("global", "global", &good);
    assert_true(reading_valid(&good));
    SPOILT(good, reading.version++);
    SPOILT(good, reading.ok = 2);
    SPOILT(good, reading.ok = 0);
    SPOILT(good, reading.line = 1);
    SPOILT(good, reading.reserved[2] = 1);
    SPOILT(good, reading.word[0] = 'x');
    SPOILT(good, reading.reason[0] = 'x');
    SPOILT(good, reading.config.listener_count = 0);
    SPOILT(good, reading.config.listener_count = 1);
    SPOILT(good, reading.config.listener_count = 17);
    SPOILT(good, reading.config.listeners[1] = reading.config.listeners[0]);
    SPOILT(good, reading.config.listeners[0].port = 0);
    SPOILT(good, reading.config.listeners[15].port = 1);
    SPOILT(good, reading.config.given_network = 2);
    SPOILT(good, reading.config.given_router = 1);
    SPOILT(good, reading.config.ovn = 0);
    SPOILT(good, reading.config.daemonize = 2);
    SPOILT(good, reading.config.given = 1);
    SPOILT(good, reading.config.agent_port = 1);
    SPOILT(good, reading.config.agent_host[0] = 'a');
    SPOILT(good, (reading.config.agent_host[0] = 'a', reading.config.agent_port = 1));
    SPOILT(good, strcpy(reading.config.netns, "other"));
    SPOILT(good, strcpy(reading.config.state_path, "/"));
    SPOILT(good, strcpy(reading.config.backend, "/etc/../x"));
    SPOILT(good, strcpy(reading.config.backend, "/run/other"));
    SPOILT(good, memset(reading.config.backend, 0, sizeof(reading.config.backend)));
    SPOILT(good, memset(reading.config.pid_file, 'a', sizeof(reading.config.pid_file)));
    SPOILT(good, reading.config.pid_file[255] = 'a');
    SPOILT(good, strcpy(reading.config.user, "a\nb"));
    SPOILT(good, strcpy(reading.config.group, "-1"));
}

static void spoilt_settings(void **state)
{
    struct reading good;

    (void)state;
    parse_changed("global", "global", &good);
    SPOILT(good, reading.config.network.identity = IDENTITY_NEUTRON_NETWORK);
    SPOILT(good, reading.config.worker.log_target = LOG_TO_STDERR);
    SPOILT(good, reading.config.worker.forward_all = 1);
    SPOILT(good, reading.config.worker.methods = 3);
    SPOILT(good, reading.config.worker.utc_offset = 1);
    SPOILT(good, reading.config.network.rate_shadow = 1);
    SPOILT(good, reading.config.network.rate[0].limit = 0);
    SPOILT(good, reading.config.worker.max_connections = 0);
    SPOILT(good, reading.config.worker.max_in_flight++);
    SPOILT(good, reading.config.worker.max_body++);
    SPOILT(good, reading.config.worker.timeout_server = 1);
    SPOILT(good, reading.config.network.uuid[0] = 'x');
    SPOILT(good, strcpy(reading.config.worker.backend, "/x"));
    SPOILT(good, reading.config.network.log_tag[79] = 'x');
    SPOILT(good, memset(reading.config.network.uuid, 'a', NETWORK_UUID_SIZE));
    SPOILT(good, reading.config.worker.log_tag[0]++);
    SPOILT(good, reading.config.worker.max_networks++);
    SPOILT(good, reading.config.worker.max_listeners++);
    SPOILT(good, reading.config.worker.forward[0][0]++);
}

static void spoilt_refusals(void **state)
{
    struct reading bad;

    (void)state;
    parse_changed("global", "glob\xE4l", &bad);
    assert_true(reading_valid(&bad));
    SPOILT(bad, reading.ok = 1);
    SPOILT(bad, reading.reason[0] = '\0');
    SPOILT(bad, reading.reason[0] = '\n');
    SPOILT(bad, reading.reason[READING_REASON_SIZE - 1] = 'a');
    SPOILT(bad, reading.word[1] = '\x1B');
    SPOILT(bad, memset(reading.word, 'a', sizeof(reading.word)));
    SPOILT(bad, reading.config.daemonize = 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialects_are_read),
        cmocka_unit_test(files_cut_at_every_byte_are_refused),
        cmocka_unit_test(files_with_any_byte_replaced_are_survived),
        cmocka_unit_test(broken_global_lines),
        cmocka_unit_test(broken_defaults),
        cmocka_unit_test(broken_listener),
        cmocka_unit_test(broken_identities),
        cmocka_unit_test(broken_rates),
        cmocka_unit_test(hostile_text),
        cmocka_unit_test(other_forms),
        cmocka_unit_test(durations),
        cmocka_unit_test(logs),
        cmocka_unit_test(a_few_connections_are_all_for_one_source),
        cmocka_unit_test(the_host_proxy_is_read),
        cmocka_unit_test(the_size_is_limited),
        cmocka_unit_test(spoilt_configurations),
        cmocka_unit_test(spoilt_settings),
        cmocka_unit_test(spoilt_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
