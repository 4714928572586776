/*
 * The control socket's requests and replies: what a good one of each type is, that no other byte pattern
 * passes unnoticed, and that nothing is left open of what came beside a bad one.
 */
#include "tests/unit/unit.h"

#include "ipc/control.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void good_spec(struct network_spec *spec, const char *netns)
{
    spec->network.identity = IDENTITY_NEUTRON_NETWORK;
    strcpy(spec->network.uuid, UUID);
    assert_null(address_parse("169.254.169.254:80", &spec->listeners[0]));
    spec->listener_count = 1;
    strcpy(spec->netns, netns);
    assert_null(network_spec_valid(spec));
}

static void good_request(struct control_request *request, uint16_t type)
{
    control_request_begin(request, (enum control_request_type)type);
    switch (control_rule(type)->body) {
    case CONTROL_SPEC:
        good_spec(&request->body.spec, "qdhcp-1");
        break;
    case CONTROL_UUID:
    case CONTROL_UUID_OR_NONE:
        strcpy(request->body.uuid, UUID);
        break;
    default:
        break;
    }
}

static void good_reply(struct control_reply *reply, uint16_t type)
{
    control_reply_begin(reply, (enum control_reply_type)type);
    switch ((enum control_reply_type)type) {
    case CONTROL_ERROR:
        reply->code = CONTROL_UNKNOWN;
        strcpy(reply->body.reason, "there is no such network");
        break;
    case CONTROL_NETWORK:
        good_spec(&reply->body.network.spec, "");
        strcpy(reply->body.network.error, "its namespace is absent");
        strcpy(reply->body.network.file, "blue.conf");
        reply->body.network.age_ms = 12345;
        reply->body.network.worker = 3;
        break;
    case CONTROL_COUNTERS:
        strcpy(reply->body.counters.uuid, UUID);
        reply->body.counters.open_now = UINT64_MAX;
        break;
    case CONTROL_WORKER:
        reply->body.worker.pid = 4711;
        break;
    case CONTROL_DAEMON:
        strcpy(reply->body.daemon.version, "0.1.0");
        break;
    default:
        break;
    }
}

static size_t request_uses(uint16_t type)
{
    static const size_t sizes[] = {[CONTROL_NO_BODY] = 0,
                                   [CONTROL_SPEC] = sizeof(struct network_spec),
                                   [CONTROL_UUID] = NETWORK_UUID_SIZE,
                                   [CONTROL_UUID_OR_NONE] = NETWORK_UUID_SIZE};
    return sizes[control_rule(type)->body];
}

static size_t reply_uses(uint16_t type)
{
    static const size_t sizes[] = {[CONTROL_OK] = 0,
                                   [CONTROL_ERROR] = CONTROL_REASON_SIZE,
                                   [CONTROL_NETWORK] = sizeof(struct control_network),
                                   [CONTROL_COUNTERS] = sizeof(struct counters),
                                   [CONTROL_WORKER] = sizeof(struct control_worker),
                                   [CONTROL_DAEMON] = sizeof(struct control_daemon)};
    return sizes[type];
}

static void good_requests(void **state)
{
    (void)state;
    for (uint16_t type = 1; type < CONTROL_REQUEST_COUNT; type++) {
        struct control_request request;
        good_request(&request, type);
        for (unsigned count = 0; count < 300; count++)
            assert_int_equal(control_request_valid(&request, count),
                             count <= control_rule(type)->descriptors);
    }
}

static void every_rule_is_complete(void **state)
{
    (void)state;
    assert_null(control_rule(CONTROL_NONE));
    assert_null(control_rule(CONTROL_REQUEST_COUNT));
    assert_null(control_rule(UINT16_MAX));
    for (uint16_t type = 1; type < CONTROL_REQUEST_COUNT; type++) {
        const struct control_rule *rule = control_rule(type);
        assert_true(rule->peers != 0 && rule->phases != 0 && rule->per_second != 0);
        assert_true(rule->peers & CONTROL_BY_ROOT);
        assert_true(rule->descriptors <= 1);
    }
    /* what concerns everybody's networks is the administrator's */
    assert_int_equal(control_rule(CONTROL_RELOAD)->peers, CONTROL_BY_ROOT);
    assert_int_equal(control_rule(CONTROL_UPGRADE)->peers, CONTROL_BY_ROOT);
    assert_int_equal(control_rule(CONTROL_DRAIN)->peers, CONTROL_BY_ROOT);
}

/* Each byte of a good request in turn: outside of what its type uses nothing else passes; inside, what passes
 * is a good body. */
static void a_changed_byte_is_noticed(void **state)
{
    (void)state;
    for (uint16_t type = 1; type < CONTROL_REQUEST_COUNT; type++) {
        struct control_request request;
        unsigned char *bytes = (unsigned char *)&request;
        good_request(&request, type);
        for (size_t at = 0; at < sizeof(request); at++) {
            unsigned char was = bytes[at];
            for (unsigned value = 0; value < 256; value++) {
                bytes[at] = (unsigned char)value;
                bool passes = control_request_valid(&request, 0);
                if (value == was)
                    assert_true(passes);
                else if (at < 2 || (at >= 4 && at < 8) || at >= 8 + request_uses(type))
                    assert_false(passes);
                else if (passes && control_rule(request.type)->body == CONTROL_SPEC)
                    assert_null(network_spec_valid(&request.body.spec));
            }
            bytes[at] = was;
        }
    }
}

static void a_changed_byte_of_a_reply_is_noticed(void **state)
{
    (void)state;
    for (uint16_t type = 1; type < CONTROL_REPLY_COUNT; type++) {
        struct control_reply reply;
        unsigned char *bytes = (unsigned char *)&reply;
        good_reply(&reply, type);
        assert_true(control_reply_valid(&reply));
        for (size_t at = 0; at < sizeof(reply); at++) {
            unsigned char was = bytes[at];
            for (unsigned value = 0; value < 256; value++) {
                bytes[at] = (unsigned char)value;
                if (value != was && (at < 2 || at == 6 || at == 7 || at >= 8 + reply_uses(type)))
                    assert_false(control_reply_valid(&reply));
                (void)control_reply_valid(&reply);
            }
            bytes[at] = was;
        }
        reply.code = type == CONTROL_ERROR ? CONTROL_FINE : CONTROL_UNKNOWN;
        assert_false(control_reply_valid(&reply));
        reply.code = CONTROL_CODE_COUNT;
        assert_false(control_reply_valid(&reply));
    }
}

static void a_network_needs_a_namespace(void **state)
{
    struct control_request request;

    (void)state;
    good_request(&request, CONTROL_ADD);
    memset(request.body.spec.netns, 0, sizeof(request.body.spec.netns));
    assert_false(control_request_valid(&request, 0));
    assert_true(control_request_valid(&request, 1));
}

static void an_id_may_be_absent_only_where_that_means_all(void **state)
{
    (void)state;
    for (uint16_t type = 1; type < CONTROL_REQUEST_COUNT; type++) {
        struct control_request request;
        control_request_begin(&request, (enum control_request_type)type);
        uint8_t body = control_rule(type)->body;
        assert_int_equal(control_request_valid(&request, 0),
                         body == CONTROL_NO_BODY || body == CONTROL_UUID_OR_NONE);
    }
}

static void a_file_that_describes_no_network(void **state)
{
    struct control_reply reply;

    (void)state;
    control_reply_begin(&reply, CONTROL_NETWORK);
    reply.body.network.state = NETWORK_FAILED;
    assert_false(control_reply_valid(&reply));
    strcpy(reply.body.network.file, "bad.conf");
    assert_true(control_reply_valid(&reply));
    reply.body.network.state = NETWORK_SERVING;
    assert_false(control_reply_valid(&reply));
}

static void numbers_may_be_any(void **state)
{
    struct control_reply reply;

    (void)state;
    control_reply_begin(&reply, CONTROL_COUNTERS);
    memset(&reply.body.counters, 0xFF, sizeof(reply.body.counters));
    memset(reply.body.counters.uuid, 0, NETWORK_UUID_SIZE);
    strcpy(reply.body.counters.uuid, UUID);
    assert_true(control_reply_valid(&reply));
}

static int lowest_free(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static void over_a_socket(void **state)
{
    int ends[2], netns, free_before = lowest_free();
    struct control_request request, got;
    struct control_reply reply, got_reply;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    int free_between = lowest_free();
    assert_int_equal(control_receive(ends[1], &got, &netns), CHANNEL_AGAIN);
    good_request(&request, CONTROL_ADD);
    assert_int_equal(control_send(ends[0], &request, 0), CHANNEL_OK);
    assert_int_equal(control_receive(ends[1], &got, &netns), CHANNEL_OK);
    assert_memory_equal(&got, &request, sizeof(got));
    assert_int_equal(fcntl(netns, F_GETFD), FD_CLOEXEC);
    close(netns);
    good_request(&request, CONTROL_LIST);
    assert_int_equal(control_send(ends[0], &request, 0), CHANNEL_BAD); /* it takes no descriptor */
    assert_int_equal(control_send(ends[0], &request, -1), CHANNEL_OK);
    assert_int_equal(control_receive(ends[1], &got, &netns), CHANNEL_OK);
    assert_int_equal(netns, -1);
    /* by hand: a descriptor where none may be, a packet that is too long, one that is too short */
    static const int surplus[2] = {0, 0};
    char longer[sizeof(request) + 1] = {0};
    memcpy(longer, &request, sizeof(request));
    assert_int_equal(packet_send(ends[0], &request, sizeof(request), surplus, 2), CHANNEL_OK);
    assert_int_equal(packet_send(ends[0], longer, sizeof(longer), surplus, 1), CHANNEL_OK);
    assert_int_equal(packet_send(ends[0], longer, sizeof(request) - 1, NULL, 0), CHANNEL_OK);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(control_receive(ends[1], &got, &netns), CHANNEL_BAD);
    /* from somebody who may hand over nothing */
    good_request(&request, CONTROL_ADD);
    assert_int_equal(control_send(ends[0], &request, 0), CHANNEL_OK);
    assert_int_equal(control_receive_alone(ends[1], &got), CHANNEL_BAD);
    assert_int_equal(control_send(ends[0], &request, -1), CHANNEL_OK);
    assert_int_equal(control_receive_alone(ends[1], &got), CHANNEL_OK);
    assert_memory_equal(&got, &request, sizeof(got));
    good_reply(&reply, CONTROL_NETWORK);
    assert_int_equal(control_reply_send(ends[1], &reply), CHANNEL_OK);
    assert_int_equal(control_reply_receive(ends[0], &got_reply), CHANNEL_OK);
    assert_memory_equal(&got_reply, &reply, sizeof(reply));
    assert_int_equal(packet_send(ends[1], &reply, sizeof(reply), surplus, 1), CHANNEL_OK);
    assert_int_equal(control_reply_receive(ends[0], &got_reply), CHANNEL_BAD);
    assert_int_equal(lowest_free(), free_between);
    close(ends[0]);
    assert_int_equal(control_receive(ends[1], &got, &netns), CHANNEL_CLOSED);
    close(ends[1]);
    assert_int_equal(lowest_free(), free_before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_requests),
        cmocka_unit_test(every_rule_is_complete),
        cmocka_unit_test(a_changed_byte_is_noticed),
        cmocka_unit_test(a_changed_byte_of_a_reply_is_noticed),
        cmocka_unit_test(a_network_needs_a_namespace),
        cmocka_unit_test(an_id_may_be_absent_only_where_that_means_all),
        cmocka_unit_test(a_file_that_describes_no_network),
        cmocka_unit_test(numbers_may_be_any),
        cmocka_unit_test(over_a_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
