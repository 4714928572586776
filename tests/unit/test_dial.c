/*
 * The line between worker and dialer over real pairs: what is asked and answered arrives, in order, with its
 * descriptor; whatever else arrives is refused without a descriptor left open.
 */
#include "tests/unit/unit.h"

#include "ipc/dial.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int line[2]; /* the worker's end, the dialer's */
static unsigned open_before;

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

static int open_line(void **state)
{
    (void)state;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, line) != 0)
        return -1;
    open_before = count_descriptors();
    return 0;
}

static int close_line(void **state)
{
    (void)state;
    close(line[0]);
    if (line[1] >= 0)
        close(line[1]);
    return 0;
}

/* Send anything at all: `length` bytes and `count` duplicates of descriptor 0. */
static void send_raw(int fd, const void *bytes, size_t length, unsigned count)
{
    char control[CMSG_SPACE(PACKET_DESCRIPTORS_MOST * sizeof(int))] = {0};
    struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};

    if (count > 0) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *part = CMSG_FIRSTHDR(&header);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(count * sizeof(int));
        memset(CMSG_DATA(part), 0, count * sizeof(int));
    }
    assert_int_equal(sendmsg(fd, &header, MSG_NOSIGNAL), length);
}

static void asks_and_answers_arrive_in_order(void **state)
{
    int fd, error;
    struct stat sent, got;

    (void)state;
    assert_int_equal(dial_receive_ask(line[1]), CHANNEL_AGAIN);
    assert_int_equal(dial_receive_answer(line[0], &fd, &error), CHANNEL_AGAIN);
    for (int i = 0; i < 3; i++)
        assert_int_equal(dial_ask(line[0]), CHANNEL_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(dial_receive_ask(line[1]), CHANNEL_OK);
    assert_int_equal(dial_receive_ask(line[1]), CHANNEL_AGAIN);
    assert_int_equal(dial_answer(line[1], -1, ENETUNREACH), CHANNEL_OK);
    assert_int_equal(dial_answer(line[1], line[1], 0), CHANNEL_OK);
    assert_int_equal(dial_answer(line[1], 0, EMFILE), CHANNEL_OK);

    assert_int_equal(dial_receive_answer(line[0], &fd, &error), CHANNEL_OK);
    assert_int_equal(fd, -1);
    assert_int_equal(error, ENETUNREACH);
    assert_int_equal(dial_receive_answer(line[0], &fd, &error), CHANNEL_OK);
    assert_int_equal(error, 0);
    assert_int_equal(fstat(line[1], &sent), 0);
    assert_int_equal(fstat(fd, &got), 0);
    assert_int_equal(sent.st_ino, got.st_ino);
    close(fd);
    assert_int_equal(dial_receive_answer(line[0], &fd, &error), CHANNEL_OK);
    assert_int_equal(fd, -1); /* a descriptor beside an error is not sent */
    assert_int_equal(error, EMFILE);
    assert_int_equal(count_descriptors(), open_before);
}

static void what_is_no_ask_is_refused(void **state)
{
    static const char bytes[4096] = "x";

    (void)state;
    for (size_t length = 1; length <= sizeof(bytes); length += length < 8 ? 1 : 511) {
        send_raw(line[0], bytes, length, 0);
        assert_int_equal(dial_receive_ask(line[1]), CHANNEL_BAD);
    }
    send_raw(line[0], "dd", 2, 0);
    assert_int_equal(dial_receive_ask(line[1]), CHANNEL_BAD);
    send_raw(line[0], "d", 1,
             253); /* descriptors are dropped by the kernel: recvfrom() has no place for them */
    assert_int_equal(dial_receive_ask(line[1]), CHANNEL_OK);
    assert_int_equal(count_descriptors(), open_before);
}

static void what_is_no_answer_is_refused(void **state)
{
    static const int32_t numbers[] = {-1, 4096, INT32_MAX, INT32_MIN};
    static const unsigned counts[] = {0, 2, 3, PACKET_DESCRIPTORS_MOST};
    const int32_t none = 0, refused = ECONNREFUSED;
    const int64_t both = 0;
    int fd = 77, error = 77;

    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        send_raw(line[1], &numbers[i], sizeof(numbers[i]), i % 2);
        assert_int_equal(dial_receive_answer(line[0], &fd, &error), CHANNEL_BAD);
    }
    for (size_t i = 0; i < COUNT(counts); i++) {
        send_raw(line[1], &none, sizeof(none), counts[i]);
        assert_int_equal(dial_receive_answer(line[0], &fd, &error), CHANNEL_BAD);
    }
    send_raw(line[1], &refused, sizeof(refused), 1); /* an error and a descriptor */
    assert_int_equal(dial_receive_answer(line[0], &fd, &error), CHANNEL_BAD);
    for (size_t length = 1; length <= sizeof(both); length++) {
        if (length == sizeof(none))
            continue;
        send_raw(line[1], &both, length, 1);
        assert_int_equal(dial_receive_answer(line[0], &fd, &error), CHANNEL_BAD);
    }
    assert_int_equal(dial_receive_answer(line[0], &fd, &error), CHANNEL_AGAIN);
    assert_int_equal(fd, 77);
    assert_int_equal(error, 77);
    assert_int_equal(count_descriptors(), open_before);
}

/* What was answered before the end is still received. */
static void the_end_is_told(void **state)
{
    int fd, error;

    (void)state;
    assert_int_equal(dial_ask(line[0]), CHANNEL_OK); /* never read: the worker must not hear of that */
    assert_int_equal(dial_answer(line[1], 0, 0), CHANNEL_OK);
    close(line[1]);
    line[1] = -1;
    assert_int_equal(dial_receive_answer(line[0], &fd, &error), CHANNEL_OK);
    close(fd);
    assert_int_equal(dial_receive_answer(line[0], &fd, &error), CHANNEL_CLOSED);
    assert_int_equal(dial_ask(line[0]), CHANNEL_CLOSED);
}

/* A line has room for some hundred asks; when it is full, it says so, and takes more once one is read. */
static void a_full_line_says_so(void **state)
{
    unsigned asked = 0;
    enum channel_result result;

    (void)state;
    while ((result = dial_ask(line[0])) == CHANNEL_OK)
        asked++;
    assert_int_equal(result, CHANNEL_AGAIN);
    assert_true(asked > 32);
    for (unsigned i = 0; i < asked; i++)
        assert_int_equal(dial_receive_ask(line[1]), CHANNEL_OK);
    assert_int_equal(dial_receive_ask(line[1]), CHANNEL_AGAIN);
    assert_int_equal(dial_ask(line[0]), CHANNEL_OK);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(asks_and_answers_arrive_in_order, open_line, close_line),
        cmocka_unit_test_setup_teardown(what_is_no_ask_is_refused, open_line, close_line),
        cmocka_unit_test_setup_teardown(what_is_no_answer_is_refused, open_line, close_line),
        cmocka_unit_test_setup_teardown(the_end_is_told, open_line, close_line),
        cmocka_unit_test_setup_teardown(a_full_line_says_so, open_line, close_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
