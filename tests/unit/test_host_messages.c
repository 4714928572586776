/*
 * A hundred thousand hostile messages of workers, one worker after another: each is killed or believed, and
 * the owner of the workers goes on, with nothing left open.
 */
#include "ipc/report.h"
#include "priv/worker.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES 100000
#define EACH     20 /* of one worker: more than may be believed of it */

static struct channel nursery;
static struct settings settings;
static struct facts facts = {65534, 65534, 2};
static struct worker worker;
static int nursery_end, worker_end_fd;
static struct worker_owner owner = {.nursery = &nursery,
                                    .settings = &settings,
                                    .facts = &facts,
                                    .settled = true,
                                    .log_apart = true,
                                    .lasting = true};

static bool hand_over(struct worker *w)
{
    (void)w;
    return true;
}

static int serving(struct worker *w)
{
    (void)w;
    return 0;
}

/* What the nursery does: take the worker's end of its channel. @return what it was told */
static enum message_type obey(void)
{
    static struct channel channel;
    struct received received;
    if (channel.fd != nursery_end)
        channel_begin(&channel, nursery_end);
    if (channel_receive(&channel, PHASE_NURSERY, &received) != CHANNEL_OK)
        return MSG_NONE;
    if (received.message.type == MSG_SPAWN) {
        worker_end_fd = received.fds[0];
        close(received.fds[1]);
    }
    return received.message.type;
}

static unsigned open_files(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* A message that is nearly good, or not at all. */
static void send_one(unsigned sequence)
{
    static char bytes[sizeof(struct message) + 64];
    struct message *message = (void *)bytes;
    memset(bytes, 0, sizeof(bytes));
    message_begin(message, (enum message_type)(rand() % (MSG_COUNT + 2)));
    message->sequence = rand() % 8 == 0 ? (uint32_t)rand() : sequence;
    if (rand() % 2 == 0)
        message->status = rand() % 200;
    if (rand() % 4 == 0)
        message->step = rand() % 64;
    for (int flips = rand() % 3; flips > 0; flips--)
        bytes[(size_t)rand() % sizeof(bytes)] = (char)rand();
    size_t length = rand() % 16 == 0 ? (size_t)rand() % sizeof(bytes) : sizeof(*message);
    (void)!send(worker_end_fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void workers_that_say_anything_are_replaced(void **state)
{
    unsigned killed = 0, before = 0, sent = 0;
    (void)state;
    assert_int_equal(worker_begin(&worker, &owner, 0), 0);
    while (sent < MESSAGES) {
        assert_int_equal(worker_start(&worker), 0);
        assert_int_equal(obey(), MSG_SPAWN);
        if (before == 0)
            before = open_files();
        assert_int_equal(open_files(), before);
        if (rand() % 2 == 0) /* some get further than others */
            worker.phase = rand() % 2 == 0 ? PHASE_PARENT_WORKER : PHASE_PARENT_WORKER_READY;
        for (unsigned i = 1; i <= EACH; i++, sent++)
            send_one(i);
        assert_int_equal(worker_receive(&worker), 0);
        close(worker_end_fd);
        if (worker.channel.fd >= 0) /* it was believed all of it: it ends */
            assert_int_equal(worker_receive(&worker), 0);
        assert_int_equal(worker.channel.fd, -1);
        assert_int_equal(obey(), MSG_KILL);
        killed++;
        worker.failures = 1; /* each start is this loop's */
        assert_int_equal(worker_ended(&worker, SIGKILL), 0);
        assert_true(worker.due > 0 && worker.pid == 0);
    }
    assert_true(killed >= MESSAGES / EACH);
}

/* The nursery reads nothing for a while: no worker is lost, and none is started or ended twice. */
static void a_nursery_that_is_behind_is_told_later(void **state)
{
    unsigned started = 0, told = 0;
    static struct worker many[1000];
    struct rlimit limit = {8192, 8192};
    (void)state;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (unsigned i = 0; i < COUNT(many); i++) {
        assert_int_equal(worker_begin(&many[i], &owner, (uint16_t)i), 0);
        assert_int_equal(worker_start(&many[i]), 0);
        started += many[i].channel.fd >= 0;
        assert_true(many[i].due > 0);
    }
    assert_in_range(started, 1, COUNT(many) - 1);
    for (unsigned i = 0; i < started; i++) {
        assert_int_equal(worker_end(&many[i]), 0);
        assert_true(many[i].unburied && many[i].due > 0);
    }
    while (obey() == MSG_SPAWN)
        close(worker_end_fd);
    for (unsigned i = 0; i < started; i++) {
        assert_int_equal(worker_due(&many[i], many[i].due), 0);
        assert_false(many[i].unburied);
        while (obey() == MSG_KILL)
            told++;
    }
    assert_int_equal(told, started);
}

static int begin(void **state)
{
    int ends[2];
    (void)state;
    settings_default(&settings);
    memcpy(settings.backend, "/x", 2);
    settings.log_target = LOG_TO_NONE;
    owner.hand_over = hand_over;
    owner.serving = serving;
    srand(1);
    report_open(&settings); /* which writes nothing */
    if (!channel_pair(ends))
        return 1;
    channel_begin(&nursery, ends[0]);
    nursery_end = ends[1];
    return settings_valid(&settings) == NULL ? 0 : 1;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_that_say_anything_are_replaced),
        cmocka_unit_test(a_nursery_that_is_behind_is_told_later),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
