/*
 * The configuration: each key with good and bad values, hostile text in every one of them, and what follows
 * from several keys together.
 */
#include "tests/unit/unit.h"

#include "ipc/config.h"

#include <stdio.h>
#include <string.h>

#define UUID_LINE  UUID "\n"
#define BLANK_UUID " " UUID
#define OTHER_UUID "00000000-1111-2222-3333-444444444444"

/* Set a key and expect that it works. */
static void set(struct config *config, const char *key, const char *value)
{
    char error[CONFIG_ERROR_SIZE] = "";

    if (!config_set(config, key, value, error))
        fail_msg("%s", error);
}

/* Set a key and expect that it is refused with an error line that can be shown, and without an effect. */
static void refuse(struct config *config, const char *key, const char *value)
{
    struct config before = *config;
    char error[CONFIG_ERROR_SIZE + 1];

    memset(error, '#', sizeof(error));
    if (config_set(config, key, value, error))
        fail_msg("%s was taken", key);
    assert_memory_equal(config, &before, sizeof(before));
    assert_int_equal(error[CONFIG_ERROR_SIZE], '#');
    assert_true(strlen(error) > 10 && strlen(error) < CONFIG_ERROR_SIZE);
    for (const char *c = error; *c != '\0'; c++)
        assert_true(*c >= 0x20 && *c <= 0x7E);
    assert_non_null(strstr(error, ": "));
}

static void begin(struct config *config)
{
    config_default(config);
    set(config, "network-id", UUID);
}

static void finish_good(struct config *config)
{
    char error[CONFIG_ERROR_SIZE] = "";

    if (!config_finish(config, error))
        fail_msg("%s", error);
    assert_null(settings_valid(&config->worker));
}

static void finish_bad(struct config *config, const char *key)
{
    char error[CONFIG_ERROR_SIZE] = "";

    assert_false(config_finish(config, error));
    assert_memory_equal(error, key, strlen(key));
    assert_memory_equal(error + strlen(key), ": ", 2);
}

static void all_defaults(void **state)
{
    struct config config;
    char text[ADDRESS_TEXT_SIZE];

    (void)state;
    begin(&config);
    finish_good(&config);
    assert_int_equal(config.network.identity, IDENTITY_NEUTRON_NETWORK);
    assert_string_equal(config.network.uuid, UUID);
    assert_int_equal(config.listener_count, 1);
    address_format(&config.listeners[0], text);
    assert_string_equal(text, "169.254.169.254:80");
    assert_string_equal(config.state_path, "/var/lib/neutron");
    assert_string_equal(config.backend, "/var/lib/neutron/metadata_proxy");
    assert_string_equal(config.worker.backend, "/metadata_proxy");
    assert_string_equal(config.user, "");
    assert_string_equal(config.group, "");
    assert_string_equal(config.pid_file, "");
    assert_string_equal(config.netns, "");
    assert_int_equal(config.daemonize, 0);
    assert_int_equal(config.worker.log_target, LOG_TO_SYSLOG);
    assert_int_equal(config.worker.log_level, LOG_LEVEL_REQUESTS);
    assert_int_equal(config.worker.methods, SETTINGS_METHODS_ALL);
    assert_int_equal(config.worker.forward_all, 0);
    assert_int_equal(config.worker.forward_count, 8);
}

static void good_values(void **state)
{
    static const struct {
        const char *key, *value;
    } cases[] = {
        {"identity", "ovn"},
        {"identity", "neutron"},
        {"listen", "0.0.0.0:9697"},
        {"listen", "[fe80::1]:80%tap0"},
        {"netns", "qrouter-d9f7c1a0"},
        {"netns", "/run/netns/x"},
        {"netns", "/proc/1/ns/net"},
        {"metadata-proxy-socket", "/run/neutron/agent.sock"},
        {"user", "neutron"},
        {"user", "1000"},
        {"group", "neutron"},
        {"pid-file", "/run/x.pid"},
        {"state-path", "/srv"},
        {"daemonize", NULL},
        {"log", "none"},
        {"log", "stderr"},
        {"log", "syslog"},
        {"log-level", "events"},
        {"log-level", "requests"},
        {"forward-headers", "all"},
        {"forward-headers", "list"},
        {"forward-headers", "default"},
        {"forward-headers", "Cookie"},
        {"forward-headers", "X-A,x-b,Metadata-Flavor"},
        {"methods", "GET"},
        {"methods", "HEAD"},
        {"methods", "PUT,DELETE,OPTIONS,PATCH,POST"},
        {"max-connections", "1"},
        {"max_body", "0"},
        {"timeout-server", "2m"},
        {"timeout_http_request", "100ms"},
        {"metadata_port", "9697"},
        {"metadata-port", "1"},
        {"metadata_proxy_user", "neutron"},
        {"metadata_proxy_group", "1000"},
        {"metadata_proxy_socket", "/run/a/b"},
        {"pid_file", "/x"},
        {"state_path", "/a/b"},
        {"log_level", "events"},
        {"log-facility", "kern"},
        {"log-facility", "local7"},
        {"log-tag", "haproxy-metadata-proxy-" UUID},
        {"rate-limit", "1/1"},
        {"rate_limit", "1000000/86400s"},
        {"rate-limit", "10/1440m"},
        {"rate-limit", "10/2000ms"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config config;
        begin(&config);
        set(&config, cases[i].key, cases[i].value);
        finish_good(&config);
    }
}

static const struct {
    const char *key, *value;
} bad[] = {
    {"network-id", "net1"},
    {"network-id", "d9f7c1a01b2c4d3e8f900123456789ab"},
    {"router-id", UUID_LINE},
    {"identity", "nova"},
    {"identity", "OVN"},
    {"identity", "ovn "},
    {"listen", "80"},
    {"listen", "*:80"},
    {"listen", "[fe80::1]:80"},
    {"netns", "-x"},
    {"netns", ".."},
    {"netns", "a/b"},
    {"netns", "/run/../x"},
    {"netns", "//x"},
    {"metadata-proxy-socket", "metadata_proxy"},
    {"metadata-proxy-socket", "/a/"},
    {"metadata-proxy-socket", "/a/./b"},
    {"user", "-1"},
    {"user", "a b"},
    {"user", "a:b"},
    {"group", "../x"},
    {"pid-file", "x.pid"},
    {"pid-file", "/run/"},
    {"state-path", "."},
    {"daemonize", "1"},
    {"daemonize", ""},
    {"log", "file"},
    {"log", "Syslog"},
    {"log-level", "debug"},
    {"forward-headers", "a,,b"},
    {"forward-headers", ",a"},
    {"forward-headers", "a,"},
    {"forward-headers", "a, b"},
    {"forward-headers", "a b"},
    {"forward-headers", "a_b"},
    {"forward-headers", "A,a"},
    {"forward-headers", "Host"},
    {"forward-headers", "X-Forwarded-For"},
    {"forward-headers", "x-ovn-y"},
    {"forward-headers", "a,Connection"},
    {"forward-headers", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"},
    {"forward-headers", "a:b"},
    {"forward-headers", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
    {"forward-headers", "a\"b"},
    {"methods", "get"},
    {"methods", "TRACE"},
    {"methods", "CONNECT"},
    {"methods", "GET,"},
    {"methods", "GET PUT"},
    {"methods", "GET,PUTT"},
    {"methods", "OPTIONSS"},
    {"max-connections", "0"},
    {"max-connections", "16385"},
    {"max-connections", "1e3"},
    {"max-in-flight", "-1"},
    {"max-fields", "129"},
    {"timeout-client", "0"},
    {"timeout-client", "99ms"},
    {"timeout-client", "61m"},
    {"timeout-client", "1h"},
    {"metadata-port", "0"},
    {"metadata-port", "65536"},
    {"metadata-port", "80x"},
    {"metadata-proxy-user", "a b"},
    {"log-facility", "local8"},
    {"log-facility", "LOCAL0"},
    {"log-facility", "16"},
    {"log-tag", "a:b"},
    {"log-tag", "a[1]"},
    {"rate-limit", "10"},
    {"rate-limit", "/1s"},
    {"rate-limit", "10/"},
    {"rate-limit", "0/1"},
    {"rate-limit", "10/0"},
    {"rate-limit", "1000001/1"},
    {"rate-limit", "10/86401"},
    {"rate-limit", "10/1441m"},
    {"rate-limit", "10/1500ms"},
    {"rate-limit", "10/500ms"},
    {"rate-limit", "10 / 1s"},
    {"rate-limit", "10/1s/1s"},
    {"rate-limit", "0000000000000010/1s"},
    {"rate-limit-shadow", "1"},
};

static void bad_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct config config;
        config_default(&config);
        refuse(&config, bad[i].key, bad[i].value);
    }
}

static void unknown_keys(void **state)
{
    static const char *const keys[] = {
        "",     "-",        "listen-",     "liste",          "listenn", "Listen", "network id", "nodaemonize",
        "x\ny", "--listen", "config-file", "max-connection", "\x80"};

    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct config config;
        config_default(&config);
        refuse(&config, keys[i], "1");
        refuse(&config, keys[i], NULL);
    }
}

/* Line ends, blanks, climbing paths and very long text, in every key, alone and around a good value. */
static void hostile_text_everywhere(void **state)
{
    static char huge[10241];
    static const char *const hostile[] = {
        "",         " ",      "\n",    "\r\n",     "\t",    "a\nb",         "a\r\nX-Forwarded-For: 1",
        "a b",      "../x",   "/../x", "/a/../b",  "\x80",  "\x7F",         "%s %n",
        "$(id)",    "`id x`", "a;b",   "\x1B[31m", "/a\nb", "1.2.3.4:80\n", UUID_LINE,
        BLANK_UUID, "GET\n",  "30s\n", "none\n",   huge};

    (void)state;
    memset(huge, 'a', sizeof(huge) - 1);
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        struct config config;
        config_default(&config);
        for (size_t i = 0; i < COUNT(hostile); i++) {
            if (strcmp(key->name, "log_tag") == 0 && log_tag_valid(hostile[i]))
                continue; /* strange, but no harm to a line of the log */
            refuse(&config, key->name, hostile[i]);
        }
        if (key->kind == CONFIG_VALUE)
            refuse(&config, key->name, NULL);
    }
}

/* Whatever is given once more is refused, by either of its names; listeners and ids are counted in another
 * way. */
static void given_twice(void **state)
{
    static const struct {
        const char *first, *second, *value;
    } cases[] = {
        {"user", "user", "a"},
        {"user", "metadata_proxy_user", "a"},
        {"metadata-proxy-user", "user", "a"},
        {"group", "metadata_proxy_group", "a"},
        {"netns", "netns", "a"},
        {"pid-file", "pid_file", "/a"},
        {"metadata_proxy_socket", "metadata-proxy-socket", "/a/b"},
        {"state-path", "state_path", "/a"},
        {"identity", "identity", "ovn"},
        {"daemonize", "daemonize", NULL},
        {"log", "log", "none"},
        {"log-level", "log_level", "events"},
        {"forward-headers", "forward-headers", "all"},
        {"methods", "methods", "GET"},
        {"max-body", "max_body", "1"},
        {"timeout-server", "timeout_server", "1"},
        {"listen", "listen", "1.2.3.4:80"},
        {"metadata_port", "metadata_port", "80"},
    };
    struct config config;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        config_default(&config);
        set(&config, cases[i].first, cases[i].value);
        refuse(&config, cases[i].second, cases[i].value);
    }
    config_default(&config);
    set(&config, "metadata_port", "80");
    refuse(&config, "listen", "0.0.0.0:80");
    set(&config, "listen", "0.0.0.0:81");
    set(&config, "listen", "[::]:80");
    assert_int_equal(config.listener_count, 3);
}

static void rates(void **state)
{
    struct config config;
    uint8_t facility = 0;

    (void)state;
    begin(&config);
    set(&config, "rate-limit-shadow", NULL);
    finish_bad(&config, "rate-limit-shadow");
    set(&config, "rate-limit", "100/1m");
    set(&config, "rate-limit", "10/1s");
    refuse(&config, "rate-limit", "5/1s");
    set(&config, "log-facility", "authpriv");
    finish_good(&config);
    assert_int_equal(config.network.rate[0].limit, 100);
    assert_int_equal(config.network.rate[0].period_s, 60);
    assert_int_equal(config.network.rate[1].limit, 10);
    assert_int_equal(config.network.rate[1].period_s, 1);
    assert_int_equal(config.network.rate_shadow, 1);
    assert_int_equal(config.worker.log_facility, 10);
    assert_true(log_facility_read("local0", &facility));
    assert_int_equal(facility, 16);
}

static void too_many_listeners(void **state)
{
    struct config config;
    char text[32];

    (void)state;
    begin(&config);
    for (unsigned i = 0; i < CONFIG_LISTENERS_MAX; i++) {
        snprintf(text, sizeof(text), "10.0.0.%u:80", i);
        set(&config, "listen", text);
    }
    refuse(&config, "listen", "10.0.1.0:80");
    refuse(&config, "metadata_port", "80");
    finish_good(&config);
    assert_int_equal(config.listener_count, CONFIG_LISTENERS_MAX);
}

static void identities(void **state)
{
    static const struct {
        const char *key, *identity;
        uint8_t header;
    } cases[] = {
        {"network-id", NULL, IDENTITY_NEUTRON_NETWORK},      {"router_id", NULL, IDENTITY_NEUTRON_ROUTER},
        {"network_id", "ovn", IDENTITY_OVN_NETWORK},         {"router-id", "ovn", IDENTITY_OVN_ROUTER},
        {"network_id", "neutron", IDENTITY_NEUTRON_NETWORK},
    };
    struct config config;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        config_default(&config);
        set(&config, cases[i].key, UUID);
        if (cases[i].identity != NULL)
            set(&config, "identity", cases[i].identity);
        finish_good(&config);
        assert_int_equal(config.network.identity, cases[i].header);
    }
    config_default(&config); /* none */
    finish_bad(&config, "network-id");
    set(&config, "network-id", UUID); /* both */
    set(&config, "router-id", OTHER_UUID);
    finish_bad(&config, "network-id");
    begin(&config); /* twice, and so often that a counter of 8 bits is round again */
    for (unsigned i = 1; i < 600; i++) {
        set(&config, "network_id", i % 2 != 0 ? OTHER_UUID : UUID);
        finish_bad(&config, "network-id");
    }
}

static void agents_over_tcp(void **state)
{
    struct config config;

    (void)state;
    begin(&config);
    refuse(&config, "metadata-address", NULL);
    refuse(&config, "metadata-address", "nova");
    set(&config, "metadata_address", "nova:8775");
    refuse(&config, "metadata-address", "nova:8775");
    assert_non_null(config_set_agent(&config, "nova", 8775));
    assert_string_equal(config.agent_host, "nova");
    assert_int_equal(config.agent_port, 8775);
    finish_good(&config);
    assert_true(settings_dialed(&config.worker));
    assert_string_equal(config.worker.backend, "0.0.0.0:8775");
    assert_string_equal(config.backend, "");

    begin(&config);
    assert_non_null(config_set_agent(&config, "[::1]", 80));
    assert_non_null(config_set_agent(&config, "::1", 0));
    assert_non_null(config_set_agent(&config, "::1", 65536));
    assert_null(config_set_agent(&config, "::1", 80));
    finish_good(&config);
    assert_string_equal(config.worker.backend, "[::1]:80");

    begin(&config);
    set(&config, "metadata-address", "nova:8775");
    set(&config, "metadata-proxy-socket", "/run/a/agent");
    finish_bad(&config, "metadata-address");
    begin(&config);
    finish_good(&config);
    assert_false(settings_dialed(&config.worker));
}

static void backends(void **state)
{
    static const struct {
        const char *state_path, *socket, *backend, *in_root;
    } good[] = {
        {"/", NULL, NULL, NULL},
        {"/srv", NULL, "/srv/metadata_proxy", "/metadata_proxy"},
        {NULL, "/run/a/agent.sock", "/run/a/agent.sock", "/agent.sock"},
        {"/srv", "/x/y", "/x/y", "/y"},
        {NULL, "/metadata_proxy", NULL, NULL},
        {NULL, "/", NULL, NULL},
    };
    struct config config;
    char path[CONFIG_PATH_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        begin(&config);
        if (good[i].state_path != NULL)
            set(&config, "state-path", good[i].state_path);
        if (good[i].socket != NULL)
            set(&config, "metadata-proxy-socket", good[i].socket);
        if (good[i].backend == NULL) { /* the root itself would be mounted for the worker */
            finish_bad(&config, "metadata-proxy-socket");
            continue;
        }
        finish_good(&config);
        assert_string_equal(config.backend, good[i].backend);
        assert_string_equal(config.worker.backend, good[i].in_root);
    }
    for (size_t length = 80; length < sizeof(path); length++) {
        memset(path, 'x', length);
        path[0] = '/';
        path[length] = '\0';
        begin(&config);
        set(&config, "state-path", path);
        if (length + strlen("/metadata_proxy") < SETTINGS_PATH_SIZE)
            finish_good(&config);
        else
            finish_bad(&config, "state-path");
    }
}

static void methods(void **state)
{
    struct config config;

    (void)state;
    begin(&config);
    set(&config, "methods", "POST,PATCH");
    assert_int_equal(config.worker.methods, 1 | 2 | 4 | 64);
    begin(&config);
    set(&config, "methods", "PUT,DELETE,OPTIONS,PUT");
    assert_int_equal(config.worker.methods, 1 | 2 | 8 | 16 | 32);
}

static void forward_headers(void **state)
{
    struct config config, standard;

    (void)state;
    config_default(&standard);
    config_default(&config);
    set(&config, "forward-headers", "X-A,COOKIE");
    assert_int_equal(config.worker.forward_count, 2);
    assert_string_equal(config.worker.forward[0], "x-a");
    assert_string_equal(config.worker.forward[1], "cookie");
    assert_string_equal(config.worker.forward[2], "");
    config_default(&config);
    set(&config, "forward-headers", "all");
    assert_int_equal(config.worker.forward_all, 1);
    assert_int_equal(config.worker.forward_count, 0);
    assert_string_equal(config.worker.forward[0], "");
    config_default(&config);
    set(&config, "forward-headers", "list");
    assert_memory_equal(&config.worker, &standard.worker, sizeof(standard.worker));
    config_default(&config);
    set(&config, "forward-headers", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p");
    assert_int_equal(config.worker.forward_count, 16);
}

/* Of two limits that do not fit, the one that was not given follows; the one that was is an error. */
static void limits_together(void **state)
{
    static const struct {
        const char *given[4]; /* key, value, key, value */
        const char *wrong;    /* the key of the error line, or NULL */
        uint32_t line, body, per_source, in_flight_per_source;
    } cases[] = {
        {{NULL}, NULL, 2048, 3072, 64, 8},
        {{"max-in-flight", "4"}, NULL, 2048, 3072, 64, 4},
        {{"max-in-flight", "4", "max-in-flight-per-source", "5"}, "max-in-flight-per-source", 0, 0, 0, 0},
        {{"max-in-flight-per-source", "257"}, "max-in-flight-per-source", 0, 0, 0, 0},
        {{"max-in-flight-per-source", "257", "max-in-flight", "257"}, NULL, 2048, 3072, 64, 257},
        {{"max-connections", "10"}, NULL, 2048, 3072, 10, 8},
        {{"max-connections", "10", "max-connections-per-source", "11"},
         "max-connections-per-source",
         0,
         0,
         0,
         0},
        {{"max-head", "1024"}, NULL, 1024, 3072, 64, 8},
        {{"max-head", "1024", "max-request-line", "1025"}, "max-request-line", 0, 0, 0, 0},
        {{"max-request-line", "16384"}, "max-request-line", 0, 0, 0, 0},
        {{"max-request-line", "8192"}, "max-request-line", 0, 0, 0, 0},
        {{"max-request-line", "8192", "max-upstream-request", "8448"}, NULL, 8192, 3072, 64, 8},
        {{"max-body", "3840"}, NULL, 2048, 3840, 64, 8},
        {{"max-body", "3841"}, "max-body", 0, 0, 0, 0},
        {{"max-body", "65536", "max-upstream-request", "65792"}, NULL, 2048, 65536, 64, 8},
        {{"max-upstream-request", "512"}, NULL, 256, 256, 64, 8},
        {{"max-upstream-request", "512", "max_head", "256"}, NULL, 256, 256, 64, 8},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config config;
        begin(&config);
        for (size_t j = 0; j < 4 && cases[i].given[j] != NULL; j += 2)
            set(&config, cases[i].given[j], cases[i].given[j + 1]);
        if (cases[i].wrong != NULL) {
            finish_bad(&config, cases[i].wrong);
            continue;
        }
        finish_good(&config);
        assert_int_equal(config.worker.max_request_line, cases[i].line);
        assert_int_equal(config.worker.max_body, cases[i].body);
        assert_int_equal(config.worker.max_connections_per_source, cases[i].per_source);
        assert_int_equal(config.worker.max_in_flight_per_source, cases[i].in_flight_per_source);
    }
}

/* Every number at both ends of its range makes a good whole, alone. */
static void limits_alone(void **state)
{
    (void)state;
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        if (strncmp(key->name, "max_", 4) != 0 && strncmp(key->name, "timeout_", 8) != 0)
            continue;
        struct config config;
        char text[32];
        const char *unit = key->name[0] == 't' ? "ms" : "";
        begin(&config);
        snprintf(text, sizeof(text), "%u%s", key->least, unit);
        set(&config, key->name, text);
        finish_good(&config);
        begin(&config);
        snprintf(text, sizeof(text), "%u%s", key->most + 1, unit);
        refuse(&config, key->name, text);
        snprintf(text, sizeof(text), "%u%s", key->most, unit);
        set(&config, key->name, text);
    }
}

/* The table itself: names that fit, each once in either spelling, each with help that fits beside it. */
static void table(void **state)
{
    (void)state;
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        char name[CONFIG_KEY_SIZE];
        assert_true(strlen(key->name) < CONFIG_KEY_SIZE);
        assert_null(strchr(key->name, '-'));
        config_key_name(key, '-', name);
        assert_null(strchr(name, '_'));
        assert_int_equal(strlen(name), strlen(key->name));
        assert_non_null(key->set);
        assert_int_equal(key->argument == NULL, key->kind == CONFIG_FLAG);
        assert_true(strlen(key->help) > 3 && key->help[strlen(key->help) - 1] == '.');
        for (const struct config_key *other = config_keys; other != key; other++)
            assert_string_not_equal(other->name, key->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_defaults),
        cmocka_unit_test(good_values),
        cmocka_unit_test(bad_values),
        cmocka_unit_test(unknown_keys),
        cmocka_unit_test(hostile_text_everywhere),
        cmocka_unit_test(rates),
        cmocka_unit_test(given_twice),
        cmocka_unit_test(too_many_listeners),
        cmocka_unit_test(identities),
        cmocka_unit_test(backends),
        cmocka_unit_test(agents_over_tcp),
        cmocka_unit_test(methods),
        cmocka_unit_test(forward_headers),
        cmocka_unit_test(limits_together),
        cmocka_unit_test(limits_alone),
        cmocka_unit_test(table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
