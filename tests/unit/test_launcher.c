/*
 * What the host daemon and its launcher may say to each other: each type as it must be, every byte of it
 * otherwise, when it comes, and what came beside it.
 */
#include "ipc/launcher.h"
#include "ipc/steps.h"
#include "ipc/text.h"
#include "tests/unit/unit.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const unsigned given[LAUNCHER_TYPE_COUNT] = {[LAUNCHER_GIVE] = 1};
static const unsigned given_back[LAUNCHER_TYPE_COUNT] = {[LAUNCHER_READER] = 1, [LAUNCHER_NURSERY] = 1};

static struct launcher_request good_request(enum launcher_type type)
{
    struct launcher_request request;
    launcher_request_begin(&request, type);
    request.sequence = 1;
    if (type == LAUNCHER_NURSERY) {
        request.uid = 4711;
        request.descriptors = 1000;
        text_store(request.backend, sizeof(request.backend), "/run/agent/socket");
        text_store(request.name, sizeof(request.name), "metaward");
    }
    if (type == LAUNCHER_NURSERY || type == LAUNCHER_GIVE)
        request.gid = 4712;
    if (type == LAUNCHER_LOOK)
        request.pid = 1234;
    return request;
}

static struct launcher_reply good_reply(enum launcher_type type)
{
    struct launcher_reply reply;
    launcher_reply_begin(&reply, type);
    reply.sequence = 1;
    if (type == LAUNCHER_READER || type == LAUNCHER_NURSERY)
        reply.pid = 1234;
    if (type == LAUNCHER_NURSERY)
        reply.filters = 40;
    if (type == LAUNCHER_READER_END || type == LAUNCHER_NURSERY_END)
        reply.status = 9;
    if (type == LAUNCHER_LOOK)
        text_store(reply.why, sizeof(reply.why), "it is not right");
    return reply;
}

static void each_type_is_good_as_it_must_be(void **state)
{
    (void)state;
    for (enum launcher_type type = LAUNCHER_READER; type < LAUNCHER_TYPE_COUNT; type++) {
        struct launcher_request request = good_request(type);
        struct launcher_reply reply = good_reply(type);
        for (unsigned count = 0; count < 3; count++) {
            assert_int_equal(launcher_request_valid(&request, count), count == given[type]);
            assert_int_equal(launcher_reply_valid(&reply, count), count == given_back[type]);
        }
    }
}

/* What a type does not use is zero, to the last byte. */
static void nothing_is_said_beside_it(void **state)
{
    (void)state;
    for (enum launcher_type type = LAUNCHER_READER; type < LAUNCHER_TYPE_COUNT; type++) {
        const struct launcher_request request = good_request(type);
        const struct launcher_reply reply = good_reply(type);
        for (size_t i = 8; i < sizeof(request); i++) {
            struct launcher_request other = request;
            ((char *)&other)[i] ^= (char)0x80; /* of no text, and of no negative number */
            bool number = type == LAUNCHER_LOOK
                              ? i >= 20 && i < 23
                              : (type == LAUNCHER_NURSERY || type == LAUNCHER_GIVE) && i < 20;
            assert_true(number || !launcher_request_valid(&other, given[type]));
        }
        for (size_t i = 8; i < sizeof(reply); i++) {
            struct launcher_reply other = reply;
            ((char *)&other)[i] ^= (char)0x80;
            bool number = reply.pid != 0 ? i >= 16 && i < 19 : reply.status != 0 && i >= 20 && i < 24;
            assert_true(number || !launcher_reply_valid(&other, given_back[type]));
        }
    }
}

static void who_is_started_is_nobody_with_power(void **state)
{
    (void)state;
    struct launcher_request request = good_request(LAUNCHER_NURSERY);
    request.uid = 0;
    assert_false(launcher_request_valid(&request, 0));
    request.uid = UINT32_MAX;
    assert_false(launcher_request_valid(&request, 0));
    request = good_request(LAUNCHER_NURSERY);
    request.gid = 0;
    assert_false(launcher_request_valid(&request, 0));
    request = good_request(LAUNCHER_GIVE);
    request.gid = UINT32_MAX;
    assert_false(launcher_request_valid(&request, 1));
    request = good_request(LAUNCHER_LOOK);
    request.pid = -1;
    assert_false(launcher_request_valid(&request, 0));
}

static void limits_and_texts_are_those_of_settings(void **state)
{
    static const uint32_t least = 31 + 1 + 1 + 1, most = 31 + 16384 + 16384 + 1024;
    (void)state;
    struct launcher_request request = good_request(LAUNCHER_NURSERY);
    for (uint32_t number = 0; number < most + 10; number++) {
        request.descriptors = number;
        assert_int_equal(launcher_request_valid(&request, 0), number >= least && number <= most);
    }
    static const char *const paths[] = {"",     "socket", "/run/../socket", "/run//socket", "/run/so cket",
                                        "/run/"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        request = good_request(LAUNCHER_NURSERY);
        text_store(request.backend, sizeof(request.backend), paths[i]);
        assert_false(launcher_request_valid(&request, 0));
    }
    request = good_request(LAUNCHER_NURSERY);
    memset(request.backend, '/', sizeof(request.backend)); /* no end */
    assert_false(launcher_request_valid(&request, 0));
    request = good_request(LAUNCHER_NURSERY);
    memset(request.name, 'x', sizeof(request.name));
    assert_false(launcher_request_valid(&request, 0));
    text_store(request.name, sizeof(request.name), "a b");
    assert_false(launcher_request_valid(&request, 0));
}

static void a_failure_tells_its_step_and_nothing_else(void **state)
{
    (void)state;
    struct launcher_reply reply;
    launcher_reply_begin(&reply, LAUNCHER_NURSERY);
    reply.sequence = 1;
    reply.step = STEP_START_NURSERY;
    reply.error = 12;
    assert_true(launcher_reply_valid(&reply, 0));
    assert_false(launcher_reply_valid(&reply, 1));
    reply.error = 4096;
    assert_false(launcher_reply_valid(&reply, 0));
    reply.error = 0;
    reply.pid = 1234;
    assert_false(launcher_reply_valid(&reply, 0));
    reply.pid = 0;
    reply.step = 3; /* there is none */
    assert_false(launcher_reply_valid(&reply, 0));
    reply = good_reply(LAUNCHER_READER);
    reply.error = 12; /* of what? */
    assert_false(launcher_reply_valid(&reply, 1));
    reply = good_reply(LAUNCHER_LOOK);
    reply.why[0] = '\n';
    assert_false(launcher_reply_valid(&reply, 0));
}

static void each_request_has_its_time(void **state)
{
    static const unsigned phases[LAUNCHER_TYPE_COUNT] = {[LAUNCHER_READER] = LAUNCHER_NEW | LAUNCHER_NURSED,
                                                         [LAUNCHER_READER_END] =
                                                             LAUNCHER_READING | LAUNCHER_BOTH,
                                                         [LAUNCHER_NURSERY] = LAUNCHER_NEW,
                                                         [LAUNCHER_LOOK] = LAUNCHER_NURSED,
                                                         [LAUNCHER_GIVE] = LAUNCHER_NEW | LAUNCHER_NURSED,
                                                         [LAUNCHER_SETTLE] = LAUNCHER_NURSED};
    (void)state;
    for (uint16_t type = 0; type < 300; type++) {
        for (unsigned phase = LAUNCHER_NEW; phase <= LAUNCHER_SETTLED; phase <<= 1)
            assert_int_equal(launcher_allowed(type, phase),
                             type < LAUNCHER_TYPE_COUNT && (phases[type] & phase) != 0);
    }
}

static void what_is_sent_is_what_is_heard(void **state)
{
    int ends[2], fd;
    uint32_t sent = 0, received = 0, answered = 0, taken = 0;
    pid_t pid = -1;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    struct launcher_request request = good_request(LAUNCHER_GIVE), heard;
    struct launcher_reply reply = good_reply(LAUNCHER_READER), said;
    assert_int_equal(launcher_hear(ends[1], &received, LAUNCHER_NEW, &heard, &fd), CHANNEL_AGAIN);
    assert_int_equal(launcher_ask(ends[0], &sent, &request, ends[0]), CHANNEL_OK);
    assert_int_equal(launcher_hear(ends[1], &received, LAUNCHER_NEW, &heard, &fd), CHANNEL_OK);
    assert_memory_equal(&request, &heard, sizeof(heard));
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(launcher_ask(ends[0], &sent, &request, ends[0]), CHANNEL_OK);
    int next = dup(0);
    close(next);
    assert_int_equal(launcher_hear(ends[1], &received, LAUNCHER_READING, &heard, &fd), CHANNEL_BAD);
    assert_int_equal(dup(0), next); /* its descriptor was closed */
    close(next);
    assert_int_equal(launcher_answer(ends[1], &answered, &reply, ends[0]), CHANNEL_OK);
    assert_int_equal(launcher_take(ends[0], &taken, &said, &fd, &pid), CHANNEL_OK);
    assert_memory_equal(&reply, &said, sizeof(said));
    assert_int_equal(pid, 0); /* nobody asked the kernel for it */
    close(fd);
    assert_int_equal(send(ends[1], &reply, sizeof(reply), 0), sizeof(reply)); /* the same once more */
    assert_int_equal(launcher_take(ends[0], &taken, &said, &fd, &pid), CHANNEL_BAD);
    assert_int_equal(send(ends[1], &reply, sizeof(reply) - 1, 0), sizeof(reply) - 1);
    assert_int_equal(launcher_take(ends[0], &taken, &said, &fd, &pid), CHANNEL_BAD);
    close(ends[1]);
    assert_int_equal(launcher_take(ends[0], &taken, &said, &fd, &pid), CHANNEL_CLOSED);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_is_good_as_it_must_be),
        cmocka_unit_test(nothing_is_said_beside_it),
        cmocka_unit_test(who_is_started_is_nobody_with_power),
        cmocka_unit_test(limits_and_texts_are_those_of_settings),
        cmocka_unit_test(a_failure_tells_its_step_and_nothing_else),
        cmocka_unit_test(each_request_has_its_time),
        cmocka_unit_test(what_is_sent_is_what_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
