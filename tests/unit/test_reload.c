/*
 * The configuration read again: what becomes of a reader that can't be started, whatever is heard of it
 * first. The test stands for the nursery.
 */
#include "policy/reload.h"

#include "ipc/signals.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char path[] = "/tmp/metaward-reload-XXXXXX";
static struct channel parent, nursery;

static int begin(void **state)
{
    static struct config config;
    int ends[2], file = mkstemp(path);

    (void)state;
    config_default(&config);
    if (file < 0 || close(file) != 0 || !channel_pair(ends) || !signals_hold() || !signals_hold_reload())
        return -1;
    channel_begin(&parent, ends[0]);
    channel_begin(&nursery, ends[1]);
    reload_allow(path, &config);
    return 0;
}

static int end(void **state)
{
    (void)state;
    close(parent.fd);
    close(nursery.fd);
    return unlink(path);
}

/* SIGHUP, which the loop lets in. */
static void ask(void)
{
    static const struct timespec at_once;
    sigset_t none;

    sigemptyset(&none);
    assert_int_equal(raise(SIGHUP), 0);
    assert_int_equal(ppoll(NULL, 0, &at_once, &none), -1);
}

static struct received heard(enum message_type type)
{
    struct received received;

    assert_int_equal(channel_receive(&nursery, PHASE_NURSERY, &received), CHANNEL_OK);
    assert_int_equal(received.message.type, type);
    assert_int_equal(received.message.slot, RELOAD_SLOT);
    return received;
}

/* A reload is asked for, and its descriptors are closed again, as where clone() failed. */
static void fail_to_spawn(void)
{
    ask();
    assert_false(reload_turn(&parent));
    assert_in_range(reload_waits_for(), STDERR_FILENO + 1, INT16_MAX);
    const struct received spawn = heard(MSG_SPAWN);
    close(spawn.fds[0]);
    close(spawn.fds[1]);
}

static void a_reader_that_was_not_started_is_told_once(void **state)
{
    (void)state;
    fail_to_spawn();
    const int channel = reload_waits_for();
    reload_ended(EAGAIN);
    assert_int_equal(reload_waits_for(), -1);
    assert_int_equal(fcntl(channel, F_GETFD), -1);
}

/* The channel's end is seen before the nursery's message: by then the number may be another's. */
static void what_was_closed_is_not_closed_again(void **state)
{
    (void)state;
    fail_to_spawn();
    const int channel = reload_waits_for();
    assert_false(reload_turn(&parent));
    heard(MSG_KILL);
    assert_int_equal(reload_waits_for(), -1);
    assert_int_equal(fcntl(nursery.fd, F_DUPFD_CLOEXEC, channel), channel);
    reload_ended(EAGAIN);
    assert_int_not_equal(fcntl(channel, F_GETFD), -1);
    close(channel);
}

static void there_can_be_a_next_one(void **state)
{
    what_was_closed_is_not_closed_again(state);
    a_reader_that_was_not_started_is_told_once(state);
    a_reader_that_was_not_started_is_told_once(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_that_was_not_started_is_told_once),
        cmocka_unit_test(what_was_closed_is_not_closed_again),
        cmocka_unit_test(there_can_be_a_next_one),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
