/*
 * A host's configuration: the defaults, what follows from several keys, and every field spoilt in turn.
 */
#include "tests/unit/unit.h"

#include "ipc/host_config.h"
#include "ipc/text.h"

#include <string.h>

static struct host_config host;
static char error[CONFIG_ERROR_SIZE];

static void good_host(void)
{
    host_config_default(&host);
    assert_true(host_config_finish(&host, error));
}

static void an_empty_file(void **state)
{
    (void)state;
    good_host();
    assert_null(host_config_valid(&host));
    assert_int_equal(host.isolation, ISOLATION_SHARED);
    assert_int_equal(host.workers, 2);
    assert_int_equal(host.max_networks, 4096);
    assert_string_equal(host.common.backend, "/var/lib/neutron/metadata_proxy");
    assert_string_equal(host.common.worker.backend, "/metadata_proxy");
    assert_string_equal(host.common.worker.log_tag, "metaward");
    assert_string_equal(host.control_socket, "/run/metaward/control");
    assert_string_equal(host.networks_directory, "/etc/metaward/networks.d");
    assert_int_equal(host.defaults.listener_count, 1);
    assert_int_equal(host.defaults.listeners[0].port, 80);
    assert_int_equal(host.common.listener_count, 0);
}

/* What config_set() fills in common ends where it belongs. */
static void keys_are_moved(void **state)
{
    (void)state;
    host_config_default(&host);
    assert_null(config_set_plain(&host.common, "listen", "[::]:9697"));
    assert_null(config_set_plain(&host.common, "rate_limit", "100/60s"));
    assert_null(config_set_plain(&host.common, "rate_limit_shadow", NULL));
    assert_null(config_set_plain(&host.common, "identity", "ovn"));
    assert_null(config_set_plain(&host.common, "log_tag", "host-metadata"));
    assert_true(host_config_finish(&host, error));
    assert_null(host_config_valid(&host));
    assert_int_equal(host.defaults.listeners[0].port, 9697);
    assert_int_equal(host.defaults.rate[0].limit, 100);
    assert_int_equal(host.defaults.rate_shadow, 1);
    assert_int_equal(host.defaults.ovn, 1);
    assert_string_equal(host.common.worker.log_tag, "host-metadata");
}

static void room_for_networks(void **state)
{
    (void)state;
    host_config_default(&host);
    host.max_networks = 1000;
    assert_true(host_config_finish(&host, error));
    assert_int_equal(host.common.worker.max_networks, 1000);
    assert_int_equal(host.common.worker.max_listeners, 4000);
    host_config_default(&host);
    host.max_networks = HOST_NETWORKS_MAX;
    assert_true(host_config_finish(&host, error));
    assert_int_equal(host.common.worker.max_listeners, 16384);
    host_config_default(&host);
    host.isolation = ISOLATION_NETWORK;
    assert_true(host_config_finish(&host, error));
    assert_null(host_config_valid(&host));
    assert_int_equal(host.workers, 0);
    assert_int_equal(host.common.worker.max_networks, 1);
    assert_int_equal(host.common.worker.max_listeners, SPEC_LISTENERS_MAX);
}

static void keys_that_do_not_fit(void **state)
{
    (void)state;
    host_config_default(&host);
    assert_null(config_set_plain(&host.common, "max_body", "4096"));
    assert_false(host_config_finish(&host, error));
    assert_non_null(strstr(error, "max-body: "));
    host_config_default(&host);
    for (char port[] = "127.0.0.1:1"; port[10] <= '5'; port[10]++)
        assert_null(config_set_plain(&host.common, "listen", port));
    assert_false(host_config_finish(&host, error));
    assert_string_equal(error, "listen: more than 4 listeners");
}

static void an_agent_over_tcp(void **state)
{
    (void)state;
    host_config_default(&host);
    assert_null(config_set_plain(&host.common, "metadata_address", "192.0.2.1:8775"));
    assert_true(host_config_finish(&host, error));
    assert_null(host_config_valid(&host));
    assert_string_equal(host.common.worker.backend, "192.0.2.1:8775");
    host.common.agent_port = 0;
    assert_string_equal(host_config_valid(&host), "agent_host");
    host.common.agent_port = 8776;
    assert_non_null(host_config_valid(&host));
}

#define SPOILT(change, field)                                                                                \
    do {                                                                                                     \
        good_host();                                                                                         \
        change;                                                                                              \
        assert_non_null(host_config_valid(&host));                                                           \
        assert_string_equal(host_config_valid(&host), field);                                                \
    } while (0)

#define NO_KEY "a field that no file sets"

static void spoilt_fields(void **state)
{
    (void)state;
    SPOILT(host.isolation = ISOLATION_COUNT, "isolation");
    SPOILT(host.isolation = ISOLATION_NETWORK, "workers");
    SPOILT(host.workers = 0, "workers");
    SPOILT(host.workers = HOST_WORKERS_MAX + 1, "workers");
    SPOILT(host.max_networks = 0, "max_networks");
    SPOILT(host.max_networks = HOST_NETWORKS_MAX + 1, "max_networks");
    SPOILT(host.max_networks = 1, NO_KEY);
    SPOILT(host.control_socket[0] = 'r', "control_socket");
    SPOILT(memset(host.control_socket, 0, sizeof(host.control_socket)), "control_socket");
    SPOILT(host.control_group[0] = '-', "control_group");
    SPOILT(host.networks_directory[CONFIG_PATH_SIZE - 1] = 'x', "networks");
    SPOILT(host.common.user[0] = '/', "user");
    SPOILT(host.common.group[0] = '\n', "group");
    SPOILT(host.defaults.ovn = 2, "ovn");
    SPOILT(host.common.state_path[0] = 'x', "state_path");
    SPOILT(host.common.backend[0] = '\0', "backend");
    SPOILT(host.common.agent_host[0] = '.', "agent_host");
    SPOILT(host.common.worker.max_body = 100000, "max_body");
    SPOILT(host.common.worker.backend[1] = 'x', NO_KEY);
    SPOILT(host.common.worker.max_listeners--, NO_KEY);
    SPOILT(host.common.worker.utc_offset = 3600, NO_KEY);
    SPOILT(host.common.netns[0] = 'x', NO_KEY);
    SPOILT(host.common.pid_file[0] = '/', NO_KEY);
    SPOILT(host.common.daemonize = 1, NO_KEY);
    SPOILT(host.common.given = 1, NO_KEY);
    SPOILT(host.common.network.identity = IDENTITY_OVN_NETWORK, NO_KEY);
    SPOILT(host.common.listener_count = 1, NO_KEY);
    SPOILT(host.reserved[6] = 1, NO_KEY);
}

/* One byte after another: what is taken can still be used as a configuration. */
static void any_byte(void **state)
{
    unsigned taken = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(host); i++) {
        good_host();
        ((unsigned char *)&host)[i] ^= 0x01;
        if (host_config_valid(&host) == NULL) {
            taken++;
            assert_null(settings_valid(&host.common.worker));
            assert_null(network_defaults_valid(&host.defaults));
        }
    }
    assert_true(taken > 20); /* numbers and letters, which a file could have said otherwise */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file),     cmocka_unit_test(keys_are_moved),
        cmocka_unit_test(room_for_networks), cmocka_unit_test(keys_that_do_not_fit),
        cmocka_unit_test(an_agent_over_tcp), cmocka_unit_test(spoilt_fields),
        cmocka_unit_test(any_byte)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
