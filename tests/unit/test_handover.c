/*
 * The records of an upgrade: what a good one of each type is, in which phase it may come, that no other byte
 * pattern passes unnoticed, and that nothing is left open of what came beside a bad one.
 */
#include "tests/unit/unit.h"

#include "ipc/handover.h"
#include "ipc/listen.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void good(struct handover *record, uint16_t type)
{
    struct network_spec *spec = &record->body.spec;
    handover_begin(record, (enum handover_type)type);
    if (type == HANDOVER_CONTROL)
        strcpy(record->body.path, "/run/metaward/control");
    if (type != HANDOVER_NETWORK)
        return;
    spec->network.identity = IDENTITY_NEUTRON_NETWORK;
    strcpy(spec->network.uuid, UUID);
    assert_null(address_parse("169.254.169.254:80", &spec->listeners[0]));
    assert_null(address_parse("[fe80::1]:80%tap0", &spec->listeners[1]));
    spec->listener_count = 2;
    strcpy(spec->netns, "qdhcp-1");
    strcpy(record->file, "one.conf");
    record->state = NETWORK_SERVING;
    record->listeners = 3;
    record->device = 4;
    record->inode = 4026532000;
}

/* How many descriptors belong to the good record of a type. */
static unsigned beside(uint16_t type)
{
    return type == HANDOVER_NETWORK ? 2 : type == HANDOVER_CONTROL;
}

static size_t uses(uint16_t type)
{
    return type == HANDOVER_NETWORK   ? sizeof(struct handover)
           : type == HANDOVER_CONTROL ? offsetof(struct handover, body) + SETTINGS_PATH_SIZE
                                      : offsetof(struct handover, state);
}

static void good_records(void **state)
{
    (void)state;
    for (uint16_t type = 1; type < HANDOVER_TYPE_COUNT; type++) {
        struct handover record;
        good(&record, type);
        assert_int_equal(handover_descriptors(&record), beside(type));
        for (unsigned count = 0; count < 300; count++)
            assert_int_equal(handover_valid(&record, count), count == beside(type));
    }
}

static void each_has_its_phase(void **state)
{
    static const struct {
        uint32_t phase, types;
    } cases[] = {{HANDOVER_FIRST, 1U << HANDOVER_READY},
                 {HANDOVER_GIVING, 0},
                 {HANDOVER_GIVEN, 1U << HANDOVER_SERVING},
                 {HANDOVER_BEGUN, 1U << HANDOVER_CONTROL},
                 {HANDOVER_TAKING, 1U << HANDOVER_NETWORK | 1U << HANDOVER_END},
                 {HANDOVER_TAKEN, 1U << HANDOVER_YOURS}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (uint16_t type = 0; type < 32; type++)
            assert_int_equal(handover_allowed(type, cases[i].phase), cases[i].types >> type & 1);
        assert_false(handover_allowed(UINT16_MAX, cases[i].phase));
    }
}

/* Each byte of a good record in turn: outside of what its type uses nothing else passes; inside, what passes
 * is a good network. */
static void a_changed_byte_is_noticed(void **state)
{
    (void)state;
    for (uint16_t type = 1; type < HANDOVER_TYPE_COUNT; type++) {
        struct handover record;
        unsigned char *bytes = (unsigned char *)&record;
        good(&record, type);
        for (size_t at = 0; at < sizeof(record); at++) {
            unsigned char was = bytes[at];
            for (unsigned value = 0; value < 256; value++) {
                bytes[at] = (unsigned char)value;
                bool passes = handover_valid(&record, beside(type));
                if (value == was)
                    assert_true(passes);
                else if (at < 2 || at >= uses(type))
                    assert_false(passes);
                else if (passes && record.type == HANDOVER_NETWORK)
                    assert_null(network_spec_valid(&record.body.spec));
            }
            bytes[at] = was;
        }
    }
}

static void what_does_not_go_together(void **state)
{
    struct handover record;
    (void)state;
    good(&record, HANDOVER_NETWORK);
    record.inode = 0; /* listeners, and no namespace that they are in */
    assert_false(handover_valid(&record, 2));
    record.listeners = 0;
    assert_false(handover_valid(&record, 0)); /* a device without an inode */
    record.device = 0;
    assert_true(handover_valid(&record, 0));
    good(&record, HANDOVER_NETWORK);
    record.listeners = 7; /* a third listener of two */
    assert_false(handover_valid(&record, 3));
    good(&record, HANDOVER_NETWORK);
    record.origin = ORIGIN_CONTROL; /* that has no file */
    assert_false(handover_valid(&record, 2));
    memset(record.file, 0, sizeof(record.file));
    assert_true(handover_valid(&record, 2));
    memset(record.body.spec.netns, 0, sizeof(record.body.spec.netns)); /* neither a name nor a descriptor */
    assert_false(handover_valid(&record, 2));
    record.with = HANDOVER_WITH_NETNS;
    assert_true(handover_valid(&record, 3));
    record.with |= HANDOVER_WITH_LEASE; /* of one that is none */
    assert_false(handover_valid(&record, 4));
    record.origin = ORIGIN_LEASE;
    assert_true(handover_valid(&record, 4));
    record.with = HANDOVER_WITH_NETNS; /* a lease that nobody holds */
    assert_false(handover_valid(&record, 3));
    good(&record, HANDOVER_NETWORK);
    record.state = NETWORK_FAILED;
    assert_false(handover_valid(&record, 2));
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 64; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void it_travels_whole_or_not_at_all(void **state)
{
    struct handover sent, record;
    int ends[2], fds[HANDOVER_DESCRIPTORS_MAX] = {0}, two[2] = {0, 0}, many[4] = {0};
    pid_t pid = -1;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    unsigned before = open_descriptors();
    good(&sent, HANDOVER_NETWORK);
    assert_int_equal(handover_send(ends[0], &sent, two), CHANNEL_OK);
    assert_int_equal(handover_receive(ends[1], HANDOVER_TAKING, &record, fds, &pid), CHANNEL_OK);
    assert_memory_equal(&record, &sent, sizeof(sent));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
        close(fds[i]);
    }
    assert_int_equal(pid, 0);
    assert_int_equal(handover_receive(ends[1], HANDOVER_TAKING, &record, fds, NULL), CHANNEL_AGAIN);
    assert_int_equal(handover_send(ends[0], &sent, two), CHANNEL_OK);
    assert_int_equal(handover_receive(ends[1], HANDOVER_TAKEN, &record, fds, NULL), CHANNEL_BAD);
    sent.version = 2;
    assert_int_equal(handover_send(ends[0], &sent, two), CHANNEL_BAD);
    good(&sent, HANDOVER_NETWORK);
    for (unsigned count = 0; count <= 4; count++) {
        for (size_t length = sizeof(sent) - 1; length <= sizeof(sent); length++) {
            if (count == 2 && length == sizeof(sent))
                continue;
            assert_int_equal(packet_send(ends[0], &sent, length, many, count), CHANNEL_OK);
            assert_int_equal(handover_receive(ends[1], HANDOVER_TAKING, &record, fds, NULL), CHANNEL_BAD);
        }
    }
    assert_int_equal(open_descriptors(), before);
    close(ends[0]);
    assert_int_equal(handover_receive(ends[1], HANDOVER_TAKING, &record, fds, NULL), CHANNEL_CLOSED);
    close(ends[1]);
}

static void a_listener_is_known_by_the_kernels_word(void **state)
{
    struct address address, other;
    struct sockaddr_in bound = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(bound);
    (void)state;
    assert_null(address_parse("127.0.0.1:80", &address));
    int fd = listen_socket(&address);
    assert_int_equal(bind(fd, (struct sockaddr *)&bound, sizeof(bound)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &length), 0);
    address.port = ntohs(bound.sin_port);
    assert_false(listen_is(fd, &address)); /* it does not listen */
    assert_int_equal(listen(fd, 1), 0);
    assert_true(listen_is(fd, &address));
    other = address;
    other.port ^= 1;
    assert_false(listen_is(fd, &other));
    other = address;
    other.ip[3] = 2;
    assert_false(listen_is(fd, &other));
    other = address;
    strcpy(other.interface, "tap0");
    assert_false(listen_is(fd, &other));
    close(fd);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_false(listen_is(fd, &address));
    close(fd);
    assert_false(listen_is(STDIN_FILENO, &address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_records),
        cmocka_unit_test(each_has_its_phase),
        cmocka_unit_test(a_changed_byte_is_noticed),
        cmocka_unit_test(what_does_not_go_together),
        cmocka_unit_test(it_travels_whole_or_not_at_all),
        cmocka_unit_test(a_listener_is_known_by_the_kernels_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
