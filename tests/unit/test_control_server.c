/*
 * The control socket's server in a loop of its own, with a daemon that is made up: what clients may do, and
 * what they can't do to each other or to the daemon.
 */
#include "tests/unit/unit.h"

#include "ipc/clock.h"
#include "ipc/control_server.h"
#include "ipc/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NETWORKS 2000

static char directory[] = "/tmp/metaward-control-XXXXXX";
static char path[64];
static int listener;
static gid_t group;

/* The daemon that is made up. */
static struct {
    uint8_t phase;
    unsigned met[CONTROL_REQUEST_COUNT];
    uint8_t peer;
    int netns;
    int kept; /* a lease's connection */
} fake = {.phase = CONTROL_SERVING, .netns = -1, .kept = -1};

static uint8_t fake_phase(void)
{
    return fake.phase;
}

static enum control_code fake_meet(const struct control_request *request, int netns, uint8_t peer,
                                   const char **why)
{
    fake.met[request->type]++;
    fake.peer = peer;
    if (fake.netns >= 0)
        close(fake.netns);
    fake.netns = netns;
    if (request->type != CONTROL_REMOVE)
        return CONTROL_FINE;
    *why = "there is no such network";
    return CONTROL_UNKNOWN;
}

static bool fake_record(const struct control_request *request, uint32_t *cursor, struct control_reply *reply)
{
    if (request->type != CONTROL_LIST || *cursor == NETWORKS)
        return false;
    reply->type = CONTROL_NETWORK;
    reply->body.network.state = NETWORK_FAILED;
    (void)snprintf(reply->body.network.file, CONTROL_FILE_SIZE, "%u.conf", (*cursor)++);
    return true;
}

static void fake_keep(const struct control_request *request, int fd)
{
    assert_string_equal(request->body.spec.network.uuid, UUID);
    fake.kept = fd;
}

static const struct control_owner owner = {fake_phase, fake_meet, fake_record, fake_keep};

static void on_guard(struct timer *timer)
{
    (void)timer;
}

static struct timer guard = {.run = on_guard};

/* Have the server do what there is to do, without waiting for more. */
static void turns(void)
{
    for (unsigned i = 0; i < 8; i++) {
        loop_timer(&guard, clock_now());
        assert_true(loop_turn());
    }
}

static int connected(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void ask(int fd, enum control_request_type type, int netns)
{
    struct control_request request;

    control_request_begin(&request, type);
    if (type == CONTROL_REMOVE || type == CONTROL_SHOW)
        strcpy(request.body.uuid, UUID);
    if (type == CONTROL_ADD || type == CONTROL_LEASE) {
        struct network_spec *spec = &request.body.spec;
        spec->network.identity = IDENTITY_NEUTRON_NETWORK;
        strcpy(spec->network.uuid, UUID);
        assert_null(address_parse("169.254.169.254:80", &spec->listeners[0]));
        spec->listener_count = 1;
        strcpy(spec->netns, "qdhcp-1");
    }
    assert_int_equal(control_send(fd, &request, netns), CHANNEL_OK);
}

/* The next reply's type; CONTROL_REPLY_NONE where there is none, -1 where the connection is closed. */
static int hear(int fd, struct control_reply *reply)
{
    turns();
    switch (control_reply_receive(fd, reply)) {
    case CHANNEL_OK:
        return reply->type;
    case CHANNEL_AGAIN:
        return CONTROL_REPLY_NONE;
    default:
        return -1;
    }
}

static void assert_serves(void)
{
    struct control_reply reply;
    int fd = connected();

    ask(fd, CONTROL_HEALTH, -1);
    assert_int_equal(hear(fd, &reply), CONTROL_OK);
    close(fd);
    turns();
}

static int lowest_free(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static void a_request_is_met_and_answered(void **state)
{
    struct control_reply reply;
    int fd = connected();

    (void)state;
    ask(fd, CONTROL_ADD, 0);
    assert_int_equal(hear(fd, &reply), CONTROL_OK);
    assert_true(fake.netns >= 0 && fcntl(fake.netns, F_GETFD) == FD_CLOEXEC);
    assert_int_equal(fake.peer, getuid() == 0 ? CONTROL_BY_ROOT : CONTROL_BY_GROUP);
    ask(fd, CONTROL_REMOVE, -1);
    assert_int_equal(hear(fd, &reply), CONTROL_ERROR);
    assert_int_equal(reply.code, CONTROL_UNKNOWN);
    assert_string_equal(reply.body.reason, "there is no such network");
    assert_int_equal(hear(fd, &reply), CONTROL_REPLY_NONE);
    close(fd);
    turns();
    assert_serves();
}

static void a_leases_connection_is_handed_over(void **state)
{
    struct control_reply reply;
    char byte;

    (void)state;
    if (getuid() != 0)
        skip();
    for (unsigned i = 0; i < 2 * CONTROL_CLIENTS_MAX; i++) { /* it takes no client's place */
        int fd = connected();
        ask(fd, CONTROL_LEASE, 0);
        assert_int_equal(hear(fd, &reply), CONTROL_OK);
        assert_true(fake.kept >= 0);
        close(fd);
        turns();
        assert_int_equal(recv(fake.kept, &byte, 1, MSG_DONTWAIT), 0);
        close(fake.kept);
        fake.kept = -1;
    }
    assert_serves();
}

static void a_lease_is_handed_over_also_where_nobody_hears_of_it(void **state)
{
    char byte;

    (void)state;
    if (getuid() != 0)
        skip();
    int fd = connected();
    ask(fd, CONTROL_LEASE, -1);
    close(fd);
    turns();
    assert_true(fake.kept >= 0); /* whoever keeps it sees the end */
    assert_int_equal(recv(fake.kept, &byte, 1, MSG_DONTWAIT), 0);
    close(fake.kept);
    fake.kept = -1;
    assert_serves();
}

static void what_may_not_be_asked_now_is_not_met(void **state)
{
    struct control_reply reply;
    int fd = connected(), free_before;
    unsigned met = fake.met[CONTROL_ADD];

    (void)state;
    turns();
    free_before = lowest_free();
    fake.phase = CONTROL_ENDING;
    ask(fd, CONTROL_ADD, 0);
    assert_int_equal(hear(fd, &reply), CONTROL_ERROR);
    assert_int_equal(reply.code, CONTROL_NOT_NOW);
    assert_int_equal(fake.met[CONTROL_ADD], met);
    assert_int_equal(lowest_free(), free_before);
    ask(fd, CONTROL_SHOW, -1);
    assert_int_equal(hear(fd, &reply), CONTROL_OK);
    fake.phase = CONTROL_SERVING;
    close(fd);
    turns();
}

static void a_slow_client_costs_the_others_nothing(void **state)
{
    struct control_reply reply;
    char file[CONTROL_FILE_SIZE];
    int slow = connected();

    (void)state;
    ask(slow, CONTROL_LIST, -1);
    ask(slow, CONTROL_HEALTH, -1); /* read only after the list is out */
    turns();
    for (unsigned i = 0; i < 20; i++)
        assert_serves();
    for (unsigned i = 0; i < NETWORKS; i++) {
        while (control_reply_receive(slow, &reply) == CHANNEL_AGAIN)
            turns();
        (void)snprintf(file, sizeof(file), "%u.conf", i);
        assert_int_equal(reply.type, CONTROL_NETWORK);
        assert_string_equal(reply.body.network.file, file);
    }
    assert_int_equal(hear(slow, &reply), CONTROL_OK);
    assert_int_equal(hear(slow, &reply), CONTROL_OK);
    assert_int_equal(hear(slow, &reply), CONTROL_REPLY_NONE);
    close(slow);
    turns();
}

static void a_client_may_go_at_any_time(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        int fd = connected();
        if (i % 2)
            turns();
        ask(fd, CONTROL_LIST, -1);
        if (i % 3)
            turns();
        close(fd);
        turns();
    }
    assert_serves();
}

static void the_longest_silent_gives_way(void **state)
{
    struct control_reply reply;
    int fds[CONTROL_CLIENTS_MAX], newcomer;

    (void)state;
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        fds[i] = connected();
        turns();
        usleep(2000); /* the clock that tells them apart has milliseconds */
    }
    ask(fds[0], CONTROL_HEALTH, -1);
    assert_int_equal(hear(fds[0], &reply), CONTROL_OK);
    newcomer = connected();
    ask(newcomer, CONTROL_HEALTH, -1);
    assert_int_equal(hear(newcomer, &reply), CONTROL_OK);
    assert_int_equal(hear(fds[1], &reply), -1);
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (i != 1)
            assert_int_equal(hear(fds[i], &reply), CONTROL_REPLY_NONE);
        close(fds[i]);
    }
    close(newcomer);
    turns();
}

/* Ask more often than the table allows. @return how many are answered at once; 0 where a second went by
 * meanwhile */
static unsigned ask_too_often(int fd, unsigned count)
{
    struct control_reply reply;
    unsigned answered = 0;
    int64_t second = clock_now() / 1000;

    for (unsigned i = 0; i < count; i++)
        ask(fd, CONTROL_RELOAD, -1);
    while (hear(fd, &reply) > CONTROL_REPLY_NONE)
        answered++;
    return clock_now() / 1000 == second ? answered : 0;
}

static void many_that_have_asked_are_all_heard(void **state)
{
    int fds[3 * CONTROL_CLIENTS_MAX];
    const size_t count = sizeof(fds) / sizeof(fds[0]);
    struct control_reply reply;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        fds[i] = connected();
        ask(fds[i], CONTROL_HEALTH, -1);
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(hear(fds[i], &reply), CONTROL_OK);
        close(fds[i]);
    }
    turns();
}

static void too_many_requests_wait(void **state)
{
    struct control_reply reply;
    unsigned answered = 0, most = control_rule(CONTROL_RELOAD)->per_second;
    int fd = -1;

    (void)state;
    while (answered == 0) {
        if (fd >= 0)
            close(fd);
        fd = connected();
        answered = ask_too_often(fd, most + 3);
    }
    assert_int_equal(answered, most);
    assert_serves();
    for (int64_t until = clock_now() + 1002; clock_now() < until;) {
        loop_timer(&guard, until);
        assert_true(loop_turn());
    }
    while (hear(fd, &reply) > CONTROL_REPLY_NONE)
        answered++;
    assert_int_equal(answered, most + 3);
    close(fd);
    turns();
}

static void a_bad_request_ends_the_connection(void **state)
{
    struct control_reply reply;
    struct control_request request;
    int free_before = lowest_free();
    static const int some[3] = {0, 0, 0};

    (void)state;
    for (unsigned way = 0; way < 5; way++) {
        int fd = connected();
        control_request_begin(&request, way == 0 ? CONTROL_REQUEST_COUNT : CONTROL_LIST);
        request.reserved = way == 1;
        size_t length = sizeof(request) - (way == 2);
        assert_int_equal(packet_send(fd, &request, length, some, way == 3 ? 3 : 0), CHANNEL_OK);
        if (way == 4)
            assert_int_equal(packet_send(fd, &request, 0, NULL, 0), CHANNEL_OK); /* behind a good one */
        while (hear(fd, &reply) > CONTROL_REPLY_NONE)
            assert_int_equal(way, 4);
        assert_int_equal(hear(fd, &reply), -1);
        close(fd);
        turns();
    }
    assert_int_equal(lowest_free(), free_before);
    assert_serves();
}

/* 100000 of them, all that is random and all that is nearly right, over as many connections as it takes. */
static void hostile_requests_leave_it_serving(void **state)
{
    int free_before = lowest_free(), fd = -1;
    uint32_t dice = 12345;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        struct control_request request;
        static const int some[4] = {0, 0, 0, 0};
        if (fd < 0)
            fd = connected();
        dice = dice * 1664525 + 1013904223;
        control_request_begin(&request, (enum control_request_type)(dice >> 24));
        unsigned char *bytes = (unsigned char *)&request;
        for (unsigned j = 0; j < (dice >> 8) % 8; j++) {
            dice = dice * 1664525 + 1013904223;
            bytes[(dice >> 8) % sizeof(request)] = (unsigned char)(dice >> 24);
        }
        size_t length = dice % 4 == 0 ? dice % (sizeof(request) + 1) : sizeof(request);
        enum channel_result sent = packet_send(fd, &request, length, some, dice % 5 == 0 ? dice % 4 : 0);
        if (sent != CHANNEL_OK || i % 16 == 15) {
            loop_timer(&guard, clock_now());
            assert_true(loop_turn());
        }
        if (sent != CHANNEL_OK) {
            close(fd);
            fd = -1;
        }
    }
    close(fd);
    turns();
    assert_int_equal(lowest_free(), free_before);
    assert_serves();
}

/* In a child that is somebody else: what the socket's mode lets through is judged again by its credentials.
 */
static int outcome_as(uid_t uid, gid_t gid, size_t count, const gid_t *others)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct control_reply reply;
        struct control_request request;
        int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        strcpy(address.sun_path, path);
        if (setgroups(count, others) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
            _exit(90);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
            _exit(errno == EACCES ? 50 : 91);
        control_request_begin(&request, CONTROL_RELOAD);
        (void)control_send(fd, &request, -1);
        for (;;) {
            switch (control_reply_receive(fd, &reply)) {
            case CHANNEL_OK:
                _exit(reply.code);
            case CHANNEL_AGAIN:
                usleep(500);
                break;
            default:
                _exit(51);
            }
        }
    }
    while (waitpid(child, &status, WNOHANG) == 0)
        turns();
    return WEXITSTATUS(status);
}

static void a_peer_is_judged_by_the_kernels_word(void **state)
{
    gid_t others[] = {4242, group};

    (void)state;
    if (getuid() != 0)
        skip();
    assert_int_equal(outcome_as(0, 0, 0, NULL), CONTROL_FINE);
    assert_int_equal(outcome_as(4711, group, 0, NULL), CONTROL_DENIED);  /* a member, but that is for root */
    assert_int_equal(outcome_as(4711, 4711, 2, others), CONTROL_DENIED); /* the same, by another group */
    assert_int_equal(outcome_as(4711, 4711, 1, others), 50);             /* the mode keeps it out */
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(outcome_as(4711, 4711, 1, others), 51); /* and so does the judgement */
    assert_int_equal(chmod(path, 0660), 0);
}

static void the_socket_is_made_with_care(void **state)
{
    struct stat file;
    char other[80];

    (void)state;
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode, S_IFSOCK | 0660);
    if (getuid() == 0)
        assert_int_equal(file.st_gid, group);
    assert_int_equal(control_listen(path), -1);
    assert_int_equal(errno, EADDRINUSE);
    (void)snprintf(other, sizeof(other), "%s/other", directory);
    int fd = control_listen(other);
    assert_true(fd >= 0);
    assert_int_equal(stat(other, &file), 0);
    assert_int_equal(file.st_mode, S_IFSOCK | 0600);
    close(fd);
    fd = control_listen(other); /* what was left behind is replaced */
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(unlink(other), 0);
    close(open(other, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(control_listen(other), -1);
    assert_int_equal(errno, EEXIST);
    int no_socket = open(other, O_PATH);
    assert_false(control_give(no_socket, group)); /* only a socket is given away */
    assert_int_equal(errno, EPERM);
    close(no_socket);
    assert_int_equal(unlink(other), 0);
    (void)snprintf(other, sizeof(other), "%s/absent/control", directory);
    assert_int_equal(control_listen(other), -1);
    assert_int_equal(errno, ENOENT);
}

static int begin(void **state)
{
    (void)state;
    group = getuid() == 0 ? 4243 : getgid();
    if (mkdtemp(directory) == NULL || chmod(directory, 0755) != 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/control", directory);
    listener = control_listen(path);
    int file = open(path, O_PATH);
    return listener >= 0 && control_give(file, group) && close(file) == 0 && chmod(path, 0660) == 0 &&
                   loop_begin() && control_serve(listener, group, &owner)
               ? 0
               : -1;
}

static int end(void **state)
{
    (void)state;
    return unlink(path) == 0 && rmdir(directory) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_socket_is_made_with_care),
        cmocka_unit_test(a_request_is_met_and_answered),
        cmocka_unit_test(a_leases_connection_is_handed_over),
        cmocka_unit_test(a_lease_is_handed_over_also_where_nobody_hears_of_it),
        cmocka_unit_test(what_may_not_be_asked_now_is_not_met),
        cmocka_unit_test(a_slow_client_costs_the_others_nothing),
        cmocka_unit_test(a_client_may_go_at_any_time),
        cmocka_unit_test(the_longest_silent_gives_way),
        cmocka_unit_test(many_that_have_asked_are_all_heard),
        cmocka_unit_test(too_many_requests_wait),
        cmocka_unit_test(a_bad_request_ends_the_connection),
        cmocka_unit_test(hostile_requests_leave_it_serving),
        cmocka_unit_test(a_peer_is_judged_by_the_kernels_word),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
