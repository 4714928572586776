/*
 * Messages: what a good one of each type is, and that no other byte pattern passes unnoticed.
 */
#include "tests/unit/unit.h"

#include "ipc/message.h"
#include "ipc/steps.h"

#include <limits.h>
#include <string.h>

/* A good message of each type with every field that it uses set to something. */
static void good_message(struct message *message, uint16_t type)
{
    message_begin(message, type);
    message->sequence = 7;
    switch (type) {
    case MSG_EXITED:
        message->slot = 15;
        message->status = 9;
        break;
    case MSG_SPAWN:
        message->role = SPAWN_READER;
        message->slot = 15;
        break;
    case MSG_KILL:
        message->slot = 15;
        break;
    case MSG_INSTANCES:
        message->body.instances.total = 1;
        message->body.instances.count = 1;
        message->body.instances.entry[0] =
            (struct instance){.family = ADDRESS_IPV4, .ip = {1}, .id = UUID, .tenant = "a", .signature = "b"};
        break;
    case MSG_SETTINGS:
        settings_default(&message->body.settings);
        strcpy(message->body.settings.backend, "/metadata_proxy");
        break;
    case MSG_NETWORK:
        message->network = 16383;
        message->body.network.identity = IDENTITY_OVN_NETWORK;
        strcpy(message->body.network.uuid, UUID);
        break;
    case MSG_UNLISTEN:
        message->slot = 16383;
        break;
    case MSG_REMOVE:
        message->network = 300;
        break;
    case MSG_DIAL:
        assert_null(address_parse("[2001:db8::7]:8775", &message->body.address));
        break;
    case MSG_LISTENER:
        message->slot = 3000;
        message->network = 500;
        assert_null(address_parse("[fe80::a9fe:a9fe]:80%tap0", &message->body.address));
        break;
    case MSG_LOG_BROKEN:
        message->status = 111;
        break;
    case MSG_FAILED:
        message->slot = 1;
        message->step = STEP_FILTER;
        message->status = 22;
        break;
    default:
        break;
    }
}

/* Bytes of the message that a type may use; the others must be zero. */
static bool uses_byte(uint16_t type, size_t at)
{
    bool slot = at >= offsetof(struct message, slot) && at < offsetof(struct message, role);
    bool status = at >= offsetof(struct message, status) && at < offsetof(struct message, step);
    bool step = at >= offsetof(struct message, step) && at < offsetof(struct message, network);
    bool network = at >= offsetof(struct message, network) && at < offsetof(struct message, body);
    size_t body = at - offsetof(struct message, body);

    if (at < offsetof(struct message, slot))
        return true;
    switch (type) {
    case MSG_SPAWN:
        return slot || (at >= offsetof(struct message, role) && at < offsetof(struct message, status));
    case MSG_KILL:
        return slot;
    case MSG_INSTANCES:
        return at >= offsetof(struct message, body) && body < sizeof(struct instance_batch);
    case MSG_EXITED:
        return slot || status;
    case MSG_FAILED:
        return slot || status || step;
    case MSG_LOG_BROKEN:
        return status;
    case MSG_SETTINGS:
        return at >= offsetof(struct message, body);
    case MSG_LISTENER:
        return slot || network || (at >= offsetof(struct message, body) && body < sizeof(struct address));
    case MSG_DIAL:
        return at >= offsetof(struct message, body) && body < sizeof(struct address);
    case MSG_NETWORK:
        return network || (at >= offsetof(struct message, body) && body < sizeof(struct network));
    case MSG_UNLISTEN:
        return slot;
    case MSG_REMOVE:
        return network;
    default:
        return false;
    }
}

static void good_ones(void **state)
{
    static const unsigned descriptors[MSG_COUNT] = {
        [MSG_SPAWN] = 2, [MSG_LISTENER] = 1, [MSG_LOG] = 1, [MSG_COUNTERS] = 1, [MSG_LINE] = 1};

    (void)state;
    for (uint16_t type = 1; type < MSG_COUNT; type++) {
        struct message message;
        good_message(&message, type);
        assert_int_equal(message_descriptors(type), descriptors[type]);
        for (unsigned count = 0; count < 300; count++)
            assert_int_equal(message_valid(&message, count), count == descriptors[type]);
    }
}

static void unknown_types(void **state)
{
    struct message message;

    (void)state;
    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        if (type > MSG_NONE && type < MSG_COUNT)
            continue;
        good_message(&message, MSG_SERVE);
        message.type = (uint16_t)type;
        assert_false(message_valid(&message, 0));
        assert_int_equal(message_descriptors(message.type), 0);
        for (unsigned bit = 0; bit < 32; bit++)
            assert_false(message_allowed(message.type, UINT32_C(1) << bit));
    }
}

/* Every value of every byte of a good message: what a type does not use may only be zero. */
static void every_byte(void **state)
{
    (void)state;
    for (uint16_t type = 1; type < MSG_COUNT; type++) {
        struct message good;
        good_message(&good, type);
        for (size_t at = 0; at < sizeof(good); at++) {
            /* Where nothing may stand, one bit after the other will do. */
            bool all = at < offsetof(struct message, body) || uses_byte(type, at);
            for (int value = 0; value < 256; value = all || value == 0 ? value + 1 : value * 2) {
                struct message changed = good;
                unsigned char *byte = (unsigned char *)&changed + at;
                bool same = *byte == value;
                *byte = (unsigned char)value;
                bool valid = message_valid(&changed, message_descriptors(type));
                if (same)
                    assert_true(valid);
                else if (!uses_byte(type, at))
                    assert_false(valid);
                else if (valid && type == MSG_SETTINGS && at >= offsetof(struct message, body))
                    assert_null(settings_valid(&changed.body.settings));
                else if (valid && type == MSG_NETWORK && at >= offsetof(struct message, body))
                    assert_null(network_valid(&changed.body.network));
                else if (valid && type == MSG_INSTANCES && at >= offsetof(struct message, body))
                    assert_true(instance_batch_valid(&changed.body.instances));
                else if (valid && type == MSG_LISTENER && at >= offsetof(struct message, body))
                    assert_true(address_valid(&changed.body.address));
            }
        }
    }
}

static void heads(void **state)
{
    struct message message;

    (void)state;
    good_message(&message, MSG_READY);
    message.sequence = 0;
    assert_false(message_valid(&message, 0));
    message.sequence = UINT32_MAX;
    assert_true(message_valid(&message, 0));
    for (unsigned version = 0; version <= UINT16_MAX; version++) {
        message.version = (uint16_t)version;
        assert_int_equal(message_valid(&message, 0), version == MESSAGE_VERSION);
    }
    for (unsigned slot = 0; slot <= UINT16_MAX; slot++) {
        good_message(&message, MSG_KILL);
        message.slot = (uint16_t)slot;
        assert_int_equal(message_valid(&message, 0), slot < MESSAGE_SLOTS);
        good_message(&message, MSG_UNLISTEN);
        message.slot = (uint16_t)slot;
        assert_int_equal(message_valid(&message, 0), slot < MESSAGE_LISTENERS);
        good_message(&message, MSG_REMOVE);
        message.network = slot;
        assert_int_equal(message_valid(&message, 0), slot < MESSAGE_NETWORKS);
    }
    message.network = UINT32_MAX;
    assert_false(message_valid(&message, 0));
}

static void statuses(void **state)
{
    static const struct {
        uint16_t type;
        int32_t status;
        bool good;
    } cases[] = {
        {MSG_EXITED, 0, true},          {MSG_EXITED, 35 << 8, true},  {MSG_EXITED, 0xFF00, true},
        {MSG_EXITED, 9, true},          {MSG_EXITED, 31, true},       {MSG_EXITED, 31 | 0x80, true},
        {MSG_EXITED, 64, true},         {MSG_EXITED, 65, false},      {MSG_EXITED, 0x80, false},
        {MSG_EXITED, 0x7F, false},      {MSG_EXITED, 0x137F, false},  {MSG_EXITED, 0xFFFF, false},
        {MSG_EXITED, 0x109, false},     {MSG_EXITED, 0x10000, false}, {MSG_EXITED, -1, false},
        {MSG_EXITED, INT32_MIN, false}, {MSG_FAILED, 0, true},        {MSG_FAILED, 4095, true},
        {MSG_FAILED, 4096, false},      {MSG_FAILED, -1, false},      {MSG_LOG_BROKEN, 1, true},
        {MSG_LOG_BROKEN, 4096, false},  {MSG_LOG_BROKEN, -22, false}, {MSG_READY, 0, true},
        {MSG_READY, 1, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct message message;
        good_message(&message, cases[i].type);
        message.status = cases[i].status;
        assert_int_equal(message_valid(&message, 0), cases[i].good);
    }
}

static void steps(void **state)
{
    struct message message;

    (void)state;
    good_message(&message, MSG_FAILED);
    for (int step = -10; step < 300; step++) {
        message.step = step;
        assert_int_equal(message_valid(&message, 0), strcmp(step_what(step), step_what(0)) != 0);
    }
    message.step = INT_MAX;
    assert_false(message_valid(&message, 0));
}

/* The whole phase table, once more and the other way round: what each receiver takes. */
static void phases(void **state)
{
    enum {
        at_any_time = 1U << MSG_NETWORK | 1U << MSG_LISTENER | 1U << MSG_UNLISTEN | 1U << MSG_REMOVE |
                      1U << MSG_INSTANCES
    };
    static const struct {
        uint32_t phase;
        uint32_t types; /* bits by number */
    } cases[] = {
        {PHASE_PARENT_NURSERY_START, 1U << MSG_NURSERY_READY | 1U << MSG_FAILED},
        {PHASE_PARENT_NURSERY, 1U << MSG_EXITED | 1U << MSG_FAILED},
        {PHASE_PARENT_WORKER_START, 1U << MSG_READY | 1U << MSG_FAILED},
        {PHASE_PARENT_WORKER_READY, 1U << MSG_SERVING | 1U << MSG_FAILED},
        {PHASE_PARENT_WORKER, 1U << MSG_LOG_BROKEN},
        {PHASE_NURSERY, 1U << MSG_SPAWN | 1U << MSG_KILL},
        {PHASE_WORKER_START, 1U << MSG_COUNTERS | 1U << MSG_SETTINGS},
        {PHASE_WORKER_LINE, 1U << MSG_LINE},
        {PHASE_DIALER_START, 1U << MSG_DIAL},
        {PHASE_DIALER, 1U << MSG_LINE},
        {PHASE_PARENT_DIALER_START, 1U << MSG_READY | 1U << MSG_FAILED},
        {PHASE_PARENT_DIALER, 0},
        {PHASE_WORKER_LISTENERS, at_any_time | 1U << MSG_SERVE},
        {PHASE_WORKER, at_any_time | 1U << MSG_LOG | 1U << MSG_DRAIN | 1U << MSG_RETIRE},
    };

    (void)state;
    for (uint16_t type = 0; type < MSG_COUNT; type++) {
        uint32_t all = 0;
        for (size_t i = 0; i < COUNT(cases); i++) {
            all |= cases[i].phase;
            assert_int_equal(message_allowed(type, cases[i].phase), cases[i].types >> type & 1);
        }
        assert_false(message_allowed(type, 0));
        assert_false(message_allowed(type, all));
        assert_false(message_allowed(type, UINT32_MAX));
        assert_false(message_allowed(type, PHASE_NURSERY | PHASE_WORKER));
        assert_false(message_allowed(type, UINT32_C(1) << 31));
        assert_false(message_allowed(type, PHASE_PARENT_DIALER << 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones), cmocka_unit_test(unknown_types), cmocka_unit_test(every_byte),
        cmocka_unit_test(heads),     cmocka_unit_test(statuses),      cmocka_unit_test(steps),
        cmocka_unit_test(phases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
