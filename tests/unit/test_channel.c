/*
 * The channel over real socket pairs: what is sent arrives whole with its descriptors, and whatever else
 * arrives is refused without a descriptor left open.
 */
#include "tests/unit/unit.h"

#include "ipc/channel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct pair {
    int ends[2];
    struct channel parent, child;
    unsigned open; /* descriptors of this process while nothing is in flight */
};

static unsigned count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static int open_pair(void **state)
{
    static struct pair pair;

    assert_true(channel_pair(pair.ends));
    channel_begin(&pair.parent, pair.ends[0]);
    channel_begin(&pair.child, pair.ends[1]);
    pair.open = count_descriptors();
    *state = &pair;
    return 0;
}

static int close_pair(void **state)
{
    struct pair *pair = *state;

    for (unsigned i = 0; i < 2; i++) {
        if (pair->ends[i] >= 0)
            close(pair->ends[i]);
    }
    return 0;
}

/* Send anything at all: `length` bytes and `count` descriptors, each a duplicate of descriptor 0. */
static void send_raw(int fd, const void *bytes, size_t length, unsigned count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(253 * sizeof(int))];
    } control = {0};
    int fds[253] = {0}; /* the same descriptor may be sent many times */
    struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};

    if (count > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    }
    assert_int_equal(sendmsg(fd, &header, MSG_NOSIGNAL), (ssize_t)length);
}

/* A message of the type that is good but for what the caller changes then. */
static struct message good(enum message_type type, uint32_t sequence)
{
    struct message message;

    message_begin(&message, type);
    message.sequence = sequence;
    if (type == MSG_LISTENER)
        assert_null(address_parse("169.254.169.254:80", &message.body.address));
    return message;
}

static void expect_bad(struct pair *pair, struct channel *channel, uint32_t phase)
{
    struct received received, before;

    memset(&received, 0x5A, sizeof(received));
    before = received;
    errno = 0;
    assert_int_equal(channel_receive(channel, phase, &received), CHANNEL_BAD);
    assert_int_equal(errno, EBADMSG);
    assert_memory_equal(&received, &before, sizeof(received));
    assert_int_equal(count_descriptors(), pair->open);
}

static void both_ends(void **state)
{
    struct pair *pair = *state;

    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(fcntl(pair->ends[i], F_GETFD), FD_CLOEXEC);
        assert_true(fcntl(pair->ends[i], F_GETFL) & O_NONBLOCK);
    }
}

static void messages_arrive(void **state)
{
    struct pair *pair = *state;
    struct received received;
    struct message message;

    assert_int_equal(channel_receive(&pair->parent, PHASE_PARENT_WORKER_START, &received), CHANNEL_AGAIN);
    message_begin(&message, MSG_READY);
    assert_int_equal(channel_send(&pair->child, &message, NULL), CHANNEL_OK);
    message_begin(&message, MSG_SERVING);
    assert_int_equal(channel_send(&pair->child, &message, NULL), CHANNEL_OK);
    assert_int_equal(channel_receive(&pair->parent, PHASE_PARENT_WORKER_START, &received), CHANNEL_OK);
    assert_int_equal(received.message.type, MSG_READY);
    assert_int_equal(received.message.sequence, 1);
    assert_int_equal(received.pid, getpid()); /* SO_PASSCRED is on at the parent's end */
    assert_int_equal(received.fds[0], -1);
    assert_int_equal(received.fds[1], -1);
    assert_int_equal(channel_receive(&pair->parent, PHASE_PARENT_WORKER_READY, &received), CHANNEL_OK);
    assert_int_equal(received.message.type, MSG_SERVING);
    assert_int_equal(received.message.sequence, 2);
    message_begin(&message, MSG_DRAIN);
    assert_int_equal(channel_send(&pair->parent, &message, NULL), CHANNEL_OK);
    assert_int_equal(channel_receive(&pair->child, PHASE_WORKER, &received), CHANNEL_OK);
    assert_int_equal(received.pid, 0); /* and only there */
}

static void descriptors_arrive(void **state)
{
    struct pair *pair = *state;
    struct received received;
    struct message message;
    int pipes[2];
    char byte = 'x';

    assert_int_equal(pipe(pipes), 0);
    message_begin(&message, MSG_SPAWN);
    message.slot = 5;
    assert_int_equal(channel_send(&pair->parent, &message, pipes), CHANNEL_OK);
    close(pipes[0]);
    close(pipes[1]);
    assert_int_equal(channel_receive(&pair->child, PHASE_NURSERY, &received), CHANNEL_OK);
    assert_int_equal(received.message.slot, 5);
    assert_int_equal(fcntl(received.fds[0], F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(received.fds[1], F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(received.fds[1], &byte, 1), 1); /* in the order in which they were sent */
    assert_int_equal(read(received.fds[0], &byte, 1), 1);
    close(received.fds[0]);
    close(received.fds[1]);

    message = good(MSG_LISTENER, 0);
    int fd = 0;
    assert_int_equal(channel_send(&pair->parent, &message, &fd), CHANNEL_OK);
    assert_int_equal(channel_receive(&pair->child, PHASE_WORKER_LISTENERS, &received), CHANNEL_OK);
    assert_true(received.fds[0] > 2);
    assert_int_equal(received.fds[1], -1);
    close(received.fds[0]);
    assert_int_equal(count_descriptors(), pair->open);
}

/* Every wrong number of descriptors, up to all that the kernel passes. */
static void wrong_number_of_descriptors(void **state)
{
    static const struct {
        enum message_type type;
        uint32_t phase;
        unsigned right;
    } cases[] = {{MSG_DRAIN, PHASE_WORKER, 0},
                 {MSG_LISTENER, PHASE_WORKER_LISTENERS, 1},
                 {MSG_SPAWN, PHASE_NURSERY, 2}};
    static const unsigned counts[] = {0, 1, 2, 3, 4, 16, 64, 252, 253};
    struct pair *pair = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t j = 0; j < COUNT(counts); j++) {
            struct message message = good(cases[i].type, 1);
            if (counts[j] == cases[i].right)
                continue;
            send_raw(pair->ends[0], &message, sizeof(message), counts[j]);
            expect_bad(pair, &pair->child, cases[i].phase);
            assert_int_equal(pair->child.received, 0);
        }
    }
}

static void wrong_sizes(void **state)
{
    struct pair *pair = *state;
    char bytes[sizeof(struct message) + 100] = {0};
    struct message message = good(MSG_DRAIN, 1);

    memcpy(bytes, &message, sizeof(message));
    for (size_t length = 1; length <= sizeof(bytes); length++) {
        if (length == sizeof(message))
            continue;
        for (unsigned count = 0; count < 3; count += 2) {
            send_raw(pair->ends[0], bytes, length, count);
            expect_bad(pair, &pair->child, PHASE_WORKER);
        }
    }
}

static void wrong_sequence(void **state)
{
    static const uint32_t sequences[] = {0, 1, 3, 4, UINT32_MAX};
    struct pair *pair = *state;
    struct received received;
    struct message message;

    message_begin(&message, MSG_SERVE);
    assert_int_equal(channel_send(&pair->parent, &message, NULL), CHANNEL_OK);
    assert_int_equal(channel_receive(&pair->child, PHASE_WORKER_LISTENERS, &received), CHANNEL_OK);
    for (size_t i = 0; i < COUNT(sequences); i++) {
        message = good(MSG_DRAIN, sequences[i]);
        send_raw(pair->ends[0], &message, sizeof(message), 0);
        expect_bad(pair, &pair->child, PHASE_WORKER);
    }
    message = good(MSG_DRAIN, 2);
    send_raw(pair->ends[0], &message, sizeof(message), 0);
    assert_int_equal(channel_receive(&pair->child, PHASE_WORKER, &received), CHANNEL_OK);
    /* No number follows the last one. */
    pair->child.received = UINT32_MAX;
    message = good(MSG_DRAIN, 0);
    send_raw(pair->ends[0], &message, sizeof(message), 0);
    expect_bad(pair, &pair->child, PHASE_WORKER);
}

static void wrong_phase(void **state)
{
    struct pair *pair = *state;

    for (uint32_t phase = 0; phase <= PHASE_WORKER << 1; phase = phase == 0 ? 1 : phase << 1) {
        struct message message = good(MSG_LISTENER, 1);
        if (phase == PHASE_WORKER_LISTENERS || phase == PHASE_WORKER)
            continue;
        send_raw(pair->ends[0], &message, sizeof(message), 1);
        expect_bad(pair, &pair->child, phase);
    }
}

static void spoilt_bytes(void **state)
{
    struct pair *pair = *state;
    struct message message = good(MSG_LISTENER, 1);

    for (size_t at = 0; at < sizeof(message); at++) {
        struct message changed = message;
        struct received received;
        ((unsigned char *)&changed)[at] ^= 0x80;
        send_raw(pair->ends[0], &changed, sizeof(changed), 1);
        enum channel_result result = channel_receive(&pair->child, PHASE_WORKER_LISTENERS, &received);
        if (result == CHANNEL_OK) { /* another address or port */
            assert_true(message_valid(&received.message, 1));
            close(received.fds[0]);
            pair->child.received = 0;
        } else {
            assert_int_equal(result, CHANNEL_BAD);
        }
        assert_int_equal(count_descriptors(), pair->open);
    }
}

/* Where the process has no room for descriptors the kernel truncates the control part. */
static void no_room_for_descriptors(void **state)
{
    struct pair *pair = *state;
    struct message message = good(MSG_SPAWN, 1);
    struct rlimit limit, narrow;
    struct received received;
    int last = dup(0);

    assert_true(last > 0);
    close(last);
    send_raw(pair->ends[0], &message, sizeof(message), 2);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    narrow = limit;
    narrow.rlim_cur = (rlim_t)last + 1; /* one fits */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &narrow), 0);
    enum channel_result result = channel_receive(&pair->child, PHASE_NURSERY, &received);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(result, CHANNEL_BAD);
    assert_int_equal(count_descriptors(), pair->open);
}

/* A control message that nobody asked for: a time stamp, beside descriptors. */
static void odd_control(void **state)
{
    struct pair *pair = *state;
    struct message message = good(MSG_LISTENER, 1);
    int on = 1;

    assert_int_equal(setsockopt(pair->ends[1], SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)), 0);
    send_raw(pair->ends[0], &message, sizeof(message), 1);
    struct received received;
    enum channel_result result = channel_receive(&pair->child, PHASE_WORKER_LISTENERS, &received);
    if (result == CHANNEL_OK) { /* this kernel has no time stamps on UNIX sockets */
        close(received.fds[0]);
        skip();
    }
    assert_int_equal(result, CHANNEL_BAD);
    assert_int_equal(count_descriptors(), pair->open);
}

static void close_end(struct pair *pair, unsigned end)
{
    close(pair->ends[end]);
    pair->ends[end] = -1;
    pair->open--;
}

static void peer_gone(void **state)
{
    struct pair *pair = *state;
    struct received received;
    struct message message;

    close_end(pair, 0);
    assert_int_equal(channel_receive(&pair->child, PHASE_WORKER, &received), CHANNEL_CLOSED);
    assert_int_equal(channel_receive(&pair->child, PHASE_WORKER, &received), CHANNEL_CLOSED);
    message_begin(&message, MSG_READY);
    assert_int_equal(channel_send(&pair->child, &message, NULL), CHANNEL_CLOSED); /* and no SIGPIPE */
    assert_int_equal(pair->child.sent, 0);
    message_begin(&message, MSG_SPAWN);
    int fds[2] = {0, 0};
    assert_int_equal(channel_send(&pair->child, &message, fds), CHANNEL_CLOSED);
}

/* Its last words come through, although it left some of ours unread. */
static void peer_gone_with_last_words(void **state)
{
    struct pair *pair = *state;
    struct received received;
    struct message message;

    message_begin(&message, MSG_SERVE);
    assert_int_equal(channel_send(&pair->parent, &message, NULL), CHANNEL_OK);
    message_begin(&message, MSG_FAILED);
    message.step = 35;
    message.status = ENOMEM;
    assert_int_equal(channel_send(&pair->child, &message, NULL), CHANNEL_OK);
    close_end(pair, 1);
    assert_int_equal(channel_receive(&pair->parent, PHASE_PARENT_WORKER_START, &received), CHANNEL_OK);
    assert_int_equal(received.message.step, 35);
    assert_int_equal(received.message.status, ENOMEM);
    assert_int_equal(channel_receive(&pair->parent, PHASE_PARENT_WORKER_START, &received), CHANNEL_CLOSED);
}

static void peer_reset(void **state)
{
    struct pair *pair = *state;
    struct received received;
    struct message message;

    message_begin(&message, MSG_SERVE);
    assert_int_equal(channel_send(&pair->parent, &message, NULL), CHANNEL_OK);
    close_end(pair, 1);
    assert_int_equal(channel_receive(&pair->parent, PHASE_PARENT_WORKER, &received), CHANNEL_CLOSED);
}

/* An empty packet looks like the end of the channel; what is beside it is closed all the same. */
static void empty_packet(void **state)
{
    struct pair *pair = *state;
    struct received received;

    send_raw(pair->ends[0], "", 0, 0);
    assert_int_equal(channel_receive(&pair->child, PHASE_WORKER, &received), CHANNEL_CLOSED);
    send_raw(pair->ends[0], "", 0, 7);
    assert_int_equal(channel_receive(&pair->child, PHASE_WORKER, &received), CHANNEL_CLOSED);
    assert_int_equal(count_descriptors(), pair->open);
}

static void full_channel(void **state)
{
    struct pair *pair = *state;
    struct received received;
    struct message message;
    uint32_t sent = 0;
    enum channel_result result;

    do {
        message_begin(&message, MSG_LOG_BROKEN);
        result = channel_send(&pair->child, &message, NULL);
    } while (result == CHANNEL_OK && ++sent < 100000);
    assert_int_equal(result, CHANNEL_AGAIN);
    assert_int_equal(pair->child.sent, sent);
    assert_int_equal(channel_receive(&pair->parent, PHASE_PARENT_WORKER, &received), CHANNEL_OK);
    message_begin(&message, MSG_LOG_BROKEN);
    assert_int_equal(channel_send(&pair->child, &message, NULL), CHANNEL_OK); /* in sequence again */
    for (uint32_t i = 2; i <= sent + 1; i++) {
        assert_int_equal(channel_receive(&pair->parent, PHASE_PARENT_WORKER, &received), CHANNEL_OK);
        assert_int_equal(received.message.sequence, i);
    }
}

static void bad_message_is_not_sent(void **state)
{
    struct pair *pair = *state;
    struct received received;
    struct message message;

    message_begin(&message, MSG_KILL);
    message.slot = MESSAGE_SLOTS;
    assert_int_equal(channel_send(&pair->parent, &message, NULL), CHANNEL_BAD);
    message_begin(&message, MSG_NONE);
    assert_int_equal(channel_send(&pair->parent, &message, NULL), CHANNEL_BAD);
    assert_int_equal(errno, EBADMSG);
    assert_int_equal(pair->parent.sent, 0);
    assert_int_equal(channel_receive(&pair->child, PHASE_NURSERY, &received), CHANNEL_AGAIN);
}

static void failing_calls(void **state)
{
    struct pair *pair = *state;
    struct received received;
    struct message message;
    struct channel nowhere;
    int fds[2] = {-1, -1};

    channel_begin(&nowhere, -1);
    message_begin(&message, MSG_DRAIN);
    assert_int_equal(channel_send(&nowhere, &message, NULL), CHANNEL_ERROR);
    assert_int_equal(errno, EBADF);
    assert_int_equal(channel_receive(&nowhere, PHASE_WORKER, &received), CHANNEL_ERROR);
    assert_int_equal(errno, EBADF);
    message_begin(&message, MSG_SPAWN);
    assert_int_equal(channel_send(&pair->parent, &message, fds), CHANNEL_ERROR);
    assert_int_equal(errno, EBADF);
    assert_int_equal(pair->parent.sent, 0);
}

/* The pid is the sender's as the kernel knows it, not the one that made the pair. */
static void pid_of_another_process(void **state)
{
    struct pair *pair = *state;
    struct received received;
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct message message;
        message_begin(&message, MSG_READY);
        _exit(channel_send(&pair->child, &message, NULL) == CHANNEL_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(channel_receive(&pair->parent, PHASE_PARENT_WORKER_START, &received), CHANNEL_OK);
    assert_int_equal(received.pid, child);
}

#define OVER_A_PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER_A_PAIR(both_ends),
        OVER_A_PAIR(messages_arrive),
        OVER_A_PAIR(descriptors_arrive),
        OVER_A_PAIR(wrong_number_of_descriptors),
        OVER_A_PAIR(wrong_sizes),
        OVER_A_PAIR(wrong_sequence),
        OVER_A_PAIR(wrong_phase),
        OVER_A_PAIR(spoilt_bytes),
        OVER_A_PAIR(no_room_for_descriptors),
        OVER_A_PAIR(odd_control),
        OVER_A_PAIR(peer_gone),
        OVER_A_PAIR(peer_gone_with_last_words),
        OVER_A_PAIR(peer_reset),
        OVER_A_PAIR(empty_packet),
        OVER_A_PAIR(full_channel),
        OVER_A_PAIR(bad_message_is_not_sent),
        OVER_A_PAIR(failing_calls),
        OVER_A_PAIR(pid_of_another_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
