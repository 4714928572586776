/*
 * Networks: the check of what came in a message, and the names that they have in the log and at the agent.
 */
#include "tests/unit/unit.h"

#include "ipc/instance.h"
#include "ipc/network.h"
#include "ipc/settings.h"

#include <string.h>

static void good_network(struct network *network)
{
    memset(network, 0, sizeof(*network));
    network->identity = IDENTITY_NEUTRON_NETWORK;
    strcpy(network->uuid, UUID);
}

#define SPOILT(change, field)                                                                                \
    do {                                                                                                     \
        good_network(&network);                                                                              \
        change;                                                                                              \
        assert_non_null(network_valid(&network));                                                            \
        assert_string_equal(network_valid(&network), field);                                                 \
    } while (0)

static void spoilt_fields(void **state)
{
    struct network network;

    (void)state;
    good_network(&network);
    assert_null(network_valid(&network));
    SPOILT(network.identity = IDENTITY_NONE, "identity");
    SPOILT(network.identity = IDENTITY_COUNT, "identity");
    SPOILT(network.identity = 255, "identity");
    SPOILT(network.rate_shadow = 1, "rate_shadow"); /* without a rate */
    SPOILT(network.reserved[0] = 1, "reserved");
    SPOILT(network.reserved[1] = 1, "reserved");
    SPOILT(network.uuid[0] = 'g', "uuid");
    SPOILT(network.uuid[35] = '\0', "uuid");
    SPOILT(network.uuid[36] = 'a', "uuid");
    SPOILT(network.uuid[38] = 'a', "uuid");
    SPOILT(memset(network.uuid, 'a', sizeof(network.uuid)), "uuid");
}

static void rates(void **state)
{
    static const struct rate_limit one = {10, 100}, most = {86400, 1000000};
    struct network network;

    (void)state;
    SPOILT(network.rate[0].period_s = 1, "rate");
    SPOILT(network.rate[0].limit = 1, "rate");
    SPOILT(network.rate[1] = one, "rate"); /* without a first one */
    SPOILT((network.rate[0] = most, network.rate[0].period_s++), "rate");
    SPOILT((network.rate[0] = most, network.rate[0].limit++), "rate");
    SPOILT((network.rate[0] = one, network.rate[1].limit = 1), "rate");
    SPOILT((network.rate[0] = one, network.rate_shadow = 2), "rate_shadow");
    good_network(&network);
    network.rate[0] = one;
    network.rate_shadow = 1;
    assert_null(network_valid(&network));
    network.rate[1] = most;
    assert_null(network_valid(&network));
}

static void tags(void **state)
{
    struct network network;

    (void)state;
    SPOILT(strcpy(network.log_tag, "a tag"), "log_tag");
    SPOILT(strcpy(network.log_tag, "tag:"), "log_tag");
    SPOILT(strcpy(network.log_tag, "tag[1]"), "log_tag");
    SPOILT(strcpy(network.log_tag, "tag\n"), "log_tag");
    SPOILT(strcpy(network.log_tag, "t\xc3\xa4g"), "log_tag");
    SPOILT(network.log_tag[1] = 'a', "log_tag");
    SPOILT(memset(network.log_tag, 'a', NETWORK_TAG_SIZE), "log_tag");
    good_network(&network);
    strcpy(network.log_tag, "haproxy-metadata-proxy-" UUID);
    assert_null(network_valid(&network));
    memset(network.log_tag, '~', NETWORK_TAG_SIZE - 1);
    assert_null(network_valid(&network));
    assert_false(log_tag_valid(""));
}

static void log_names(void **state)
{
    struct network network;
    char name[NETWORK_TAG_SIZE];

    (void)state;
    good_network(&network);
    memset(name, 'x', sizeof(name));
    network_log_name(&network, true, name);
    assert_string_equal(name, "metaward-" UUID);
    for (size_t i = strlen(name); i < sizeof(name); i++)
        assert_int_equal(name[i], '\0');
    memset(network.log_tag, 't', NETWORK_TAG_SIZE - 1);
    network_log_name(&network, true, name);
    assert_string_equal(name, network.log_tag);
    network_log_name(&network, false, name);
    assert_string_equal(name, "metaward-" UUID);
}

static void identity_names(void **state)
{
    (void)state;
    assert_null(identity_header_name(IDENTITY_NONE));
    assert_string_equal(identity_header_name(IDENTITY_NEUTRON_NETWORK), "X-Neutron-Network-ID");
    assert_string_equal(identity_header_name(IDENTITY_NEUTRON_ROUTER), "X-Neutron-Router-ID");
    assert_string_equal(identity_header_name(IDENTITY_OVN_NETWORK), "X-OVN-Network-ID");
    assert_string_equal(identity_header_name(IDENTITY_OVN_ROUTER), "X-OVN-Router-ID");
    for (unsigned i = IDENTITY_COUNT; i < 256; i++)
        assert_null(identity_header_name((uint8_t)i));
    for (uint8_t i = 1; i < IDENTITY_INSTANCE; i++)
        assert_true(header_is_protected(identity_header_name(i), strlen(identity_header_name(i))));
    assert_null(identity_header_name(IDENTITY_INSTANCE));
    assert_true(header_is_protected(INSTANCE_ID_HEADER, strlen(INSTANCE_ID_HEADER)));
    assert_true(header_is_protected(INSTANCE_TENANT_HEADER, strlen(INSTANCE_TENANT_HEADER)));
    assert_true(header_is_protected(INSTANCE_SIGNATURE_HEADER, strlen(INSTANCE_SIGNATURE_HEADER)));
}

/* A network whose guests are known one by one has no uuid of its own. */
static void a_network_of_known_guests(void **state)
{
    struct network network = {.identity = IDENTITY_INSTANCE};
    char name[NETWORK_TAG_SIZE];

    (void)state;
    assert_null(network_valid(&network));
    assert_string_equal(network_word(&network), "host");
    network_log_name(&network, true, name);
    assert_string_equal(name, "metaward-host");
    network.uuid[0] = 'x';
    assert_string_equal(network_valid(&network), "uuid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spoilt_fields),  cmocka_unit_test(rates),
        cmocka_unit_test(tags),           cmocka_unit_test(log_names),
        cmocka_unit_test(identity_names), cmocka_unit_test(a_network_of_known_guests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
