/*
 * A network as the host daemon is told of it, and the defaults of one: every field spoilt in turn.
 */
#include "tests/unit/unit.h"

#include "ipc/network_spec.h"
#include "ipc/text.h"

#include <string.h>

static void good_spec(struct network_spec *spec)
{
    memset(spec, 0, sizeof(*spec));
    spec->network.identity = IDENTITY_OVN_NETWORK;
    text_store(spec->network.uuid, sizeof(spec->network.uuid), UUID);
    assert_null(address_parse("169.254.169.254:80", &spec->listeners[0]));
    assert_null(address_parse("[fe80::a9fe:a9fe]:80%tap0", &spec->listeners[1]));
    spec->listener_count = 2;
    text_store(spec->netns, sizeof(spec->netns), "ovnmeta-" UUID);
}

#define SPOILT(change, field)                                                                                \
    do {                                                                                                     \
        good_spec(&spec);                                                                                    \
        change;                                                                                              \
        assert_non_null(network_spec_valid(&spec));                                                          \
        assert_string_equal(network_spec_valid(&spec), field);                                               \
    } while (0)

static void spoilt_specs(void **state)
{
    struct network_spec spec;

    (void)state;
    good_spec(&spec);
    assert_null(network_spec_valid(&spec));
    SPOILT(spec.network.identity = IDENTITY_NONE, "identity");
    SPOILT(spec.network.uuid[0] = 'x', "uuid");
    SPOILT(spec.listener_count = 0, "listeners");
    SPOILT(spec.listener_count = 1, "listeners");
    SPOILT(spec.listener_count = 3, "listeners");
    SPOILT(spec.listener_count = SPEC_LISTENERS_MAX + 1, "listeners");
    SPOILT(spec.listeners[0].port = 0, "listeners");
    SPOILT(spec.listeners[1] = spec.listeners[0], "listeners");
    SPOILT(spec.listeners[3].reserved = 1, "listeners");
    SPOILT(spec.reserved[2] = 1, "reserved");
    SPOILT(strcpy(spec.netns, "a/b"), "netns");
    SPOILT(strcpy(spec.netns, "/run/../netns"), "netns");
    SPOILT(spec.netns[0] = '-', "netns");
    SPOILT(spec.netns[CONFIG_PATH_SIZE - 1] = 'a', "netns");
    SPOILT(memset(spec.netns, 'a', sizeof(spec.netns)), "netns");
}

static void places(void **state)
{
    struct network_spec spec;

    (void)state;
    good_spec(&spec);
    memset(spec.netns, 0, sizeof(spec.netns)); /* comes as a descriptor */
    assert_null(network_spec_valid(&spec));
    strcpy(spec.netns, "/proc/1/ns/net");
    assert_null(network_spec_valid(&spec));
}

static void defaults(void **state)
{
    static const struct network_defaults good = {
        .rate = {{10, 100}},
        .listeners = {{.family = ADDRESS_IPV4, .port = 80, .ip = {169, 254, 169, 254}}},
        .listener_count = 1};
    struct network_defaults spoilt = good;

    (void)state;
    assert_null(network_defaults_valid(&good));
    spoilt.rate_shadow = 1; /* also for networks whose file has the rate */
    spoilt.rate[0] = (struct rate_limit){0, 0};
    assert_null(network_defaults_valid(&spoilt));
    spoilt.rate[1].limit = 1;
    assert_string_equal(network_defaults_valid(&spoilt), "rate");
    spoilt = good;
    spoilt.rate_shadow = 2;
    assert_string_equal(network_defaults_valid(&spoilt), "rate_shadow");
    spoilt = good;
    spoilt.ovn = 2;
    assert_string_equal(network_defaults_valid(&spoilt), "ovn");
    spoilt = good;
    spoilt.reserved = 1;
    assert_string_equal(network_defaults_valid(&spoilt), "reserved");
    spoilt = good;
    spoilt.listener_count = 0;
    assert_string_equal(network_defaults_valid(&spoilt), "listeners");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(spoilt_specs), cmocka_unit_test(places),
                                       cmocka_unit_test(defaults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
