/*
 * A worker that is not what it should be, for the tests of the parent (hostile.py compiles it and says how it
 * is put in the real one's place).
 *
 * The nursery is the real one. The worker takes its settings, loads a filter that allows everything, passes
 * the parent's look at its facts where its part lets it, and then plays that part. The last six digits of the
 * network's id, which is in its arguments, say from which worker on (the first is 1; the ones before are
 * good), with which argument, and which part. `list` prints the parts.
 */
#include "ipc/channel.h"
#include "ipc/steps.h"
#include "policy/descriptors.h"
#include "policy/filter.h"
#include "policy/lockdown.h"
#include "unpriv/nursery.h"
#include "unpriv/reader/run.h"
#include "unpriv/start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MANY 200 /* descriptors with one message; the kernel passes up to 253 */

struct part {
    const char *name;
    void (*before_ready)(void); /* settings are here; nothing has been said */
    void (*instead_of_serving)(void);
    void (*serving)(void);
    void (*nursery)(void);
};

static struct channel channel;
static uint32_t phase = PHASE_WORKER_START;
static const char *name = "";
static bool without_filter;

/* --- what a good worker does --- */

bool filter_load(enum policy_role role, const struct policy_values *values)
{
    struct sock_filter everything = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = 1, .filter = &everything};
    (void)role, (void)values;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

static void wait_on(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    if (poll(&polled, 1, -1) < 0)
        _exit(90);
}

/* The next message; its end is ours. */
static enum message_type hear(void)
{
    struct received received;
    for (;;) {
        switch (channel_receive(&channel, phase, &received)) {
        case CHANNEL_OK:
            if (received.message.type != MSG_COUNTERS) /* it counts nothing */
                return received.message.type;
            close(received.fds[0]);
            break;
        case CHANNEL_AGAIN:
            wait_on(CHANNEL_FD);
            break;
        default:
            _exit(0);
        }
    }
}

static void say(enum message_type type, int status, int step)
{
    struct message message;
    message_begin(&message, type);
    message.status = status;
    message.step = step;
    if (channel_send(&channel, &message, NULL) != CHANNEL_OK)
        _exit(91);
}

static void idle(void)
{
    for (;;)
        (void)hear();
}

/* A number from two hexadecimal digits of the name, counted from its end. */
static unsigned digits(size_t before_end)
{
    size_t length = strlen(name);
    char text[3] = {0};
    if (length >= before_end)
        memcpy(text, name + length - before_end, 2);
    return (unsigned)strtoul(text, NULL, 16);
}

static unsigned argument(void)
{
    return digits(4);
}

/* --- parts: messages --- */

static struct message good(enum message_type type)
{
    struct message message;
    message_begin(&message, type);
    message.sequence = channel.sent + 1;
    return message;
}

static void put(const void *bytes, size_t length)
{
    (void)send(CHANNEL_FD, bytes, length, MSG_NOSIGNAL);
}

static void put_message(struct message message)
{
    put(&message, sizeof(message));
}

static void bad_version(void)
{
    struct message message = good(MSG_LOG_BROKEN);
    message.version++;
    put_message(message);
}

static void unknown_type(void)
{
    put_message(good(MSG_COUNT));
}

static void type_none(void)
{
    put_message(good(MSG_NONE));
}

static void highest_type(void)
{
    struct message message = good(MSG_LOG_BROKEN);
    message.type = 0xffff;
    put_message(message);
}

/* A message of another process's: what the nursery or the parent sends. */
static void type_of_another(void)
{
    put_message(good((enum message_type)argument()));
}

static void same_sequence(void)
{
    struct message message = good(MSG_LOG_BROKEN);
    message.status = EPIPE;
    put_message(message);
    put_message(message);
}

static void next_sequence(void)
{
    struct message message = good(MSG_LOG_BROKEN);
    message.sequence++;
    put_message(message);
}

static void reserved_set(void)
{
    struct message message = good(MSG_LOG_BROKEN);
    message.role = 1;
    put_message(message);
}

static void body_set(void)
{
    struct message message = good(MSG_LOG_BROKEN);
    ((char *)&message.body)[sizeof(message.body) - 1] = 1;
    put_message(message);
}

static void status_beyond(void)
{
    struct message message = good(MSG_LOG_BROKEN);
    message.status = 4096;
    put_message(message);
}

static void status_negative(void)
{
    struct message message = good(MSG_LOG_BROKEN);
    message.status = INT32_MIN;
    put_message(message);
}

static void slot_set(void)
{
    struct message message = good(MSG_LOG_BROKEN);
    message.slot = 0xffff;
    put_message(message);
}

static void too_short(void)
{
    struct message message = good(MSG_LOG_BROKEN);
    put(&message, sizeof(message) - 1);
}

static void one_byte(void)
{
    put("\1", 1);
}

static void no_byte(void)
{
    put("", 0);
    for (;;)
        pause();
}

static void too_long(void)
{
    char bytes[sizeof(struct message) + 1] = {0};
    struct message message = good(MSG_LOG_BROKEN);
    memcpy(bytes, &message, sizeof(message));
    put(bytes, sizeof(bytes));
}

static void very_long(void)
{
    static char bytes[100000];
    struct message message = good(MSG_LOG_BROKEN);
    memcpy(bytes, &message, sizeof(message));
    put(bytes, sizeof(bytes));
}

/* A good message with descriptors beside it that nobody asked for, in so many control messages. */
static void put_with_descriptors(unsigned count, unsigned parts)
{
    static char control[4096];
    int fds[MANY];
    struct message message = good(MSG_LOG_BROKEN);
    struct iovec piece = {.iov_base = &message, .iov_len = sizeof(message)};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control};
    header.msg_controllen = parts * CMSG_SPACE(count * sizeof(int));
    for (unsigned i = 0; i < count; i++)
        fds[i] = EPOLL_FD;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    for (unsigned part = 0; part < parts; part++, rights = CMSG_NXTHDR(&header, rights)) {
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    }
    (void)sendmsg(CHANNEL_FD, &header, MSG_NOSIGNAL);
}

static void one_descriptor(void)
{
    put_with_descriptors(1, 1);
}

static void many_descriptors(void)
{
    put_with_descriptors(MANY, 1);
}

static void descriptors_in_parts(void)
{
    put_with_descriptors(3, 5);
}

static void say_ready(void)
{
    put_message(good(MSG_READY));
}

static void say_serving(void)
{
    put_message(good(MSG_SERVING));
}

static void say_failed(void)
{
    struct message message = good(MSG_FAILED);
    message.step = STEP_MEMORY;
    put_message(message);
}

static void say_unknown_step(void)
{
    struct message message = good(MSG_FAILED);
    message.step = 99;
    put_message(message);
}

/* --- parts: too much of something --- */

static void flood_channel(void)
{
    for (;;)
        say(MSG_LOG_BROKEN, EPIPE, 0);
}

static void flood_failures(void)
{
    for (;;)
        say(MSG_FAILED, ENOMEM, STEP_MEMORY);
}

static void flood_log(void)
{
    char line[1000];
    memset(line, 'x', sizeof(line));
    for (;;) {
        if (send(LOG_FD, line, sizeof(line), MSG_NOSIGNAL) < 0 && errno != EAGAIN)
            _exit(0);
    }
}

static void log_control_characters(void)
{
    static const char line[] = "event=request a\nevent=forged b\r\x1b[31mred\x07\x7f\x9b\xff end";
    (void)send(LOG_FD, line, sizeof(line) - 1, MSG_NOSIGNAL);
}

static void shut_log(void)
{
    (void)shutdown(LOG_FD, SHUT_RDWR);
}

/* --- parts: going away, and not going --- */

static void leave_channel(void)
{
    close(CHANNEL_FD);
    for (;;)
        pause();
}

static void shut_channel(void)
{
    (void)shutdown(CHANNEL_FD, SHUT_WR);
    for (;;)
        pause();
}

static void hang(void)
{
    for (;;)
        pause();
}

static void leave(void)
{
    _exit((int)argument());
}

static void die(void)
{
    signal((int)argument(), SIG_DFL);
    raise((int)argument());
}

static void fail_step(void)
{
    say(MSG_FAILED, EIO, (int)argument());
    _exit((int)argument());
}

static void die_when_drained(void)
{
    while (hear() != MSG_DRAIN)
        ;
    raise(SIGSEGV);
}

/* --- parts: facts --- */

static void keep_a_descriptor(void)
{
    if (dup(CHANNEL_FD) < 0)
        _exit(92);
}

static void lose_epoll(void)
{
    close(EPOLL_FD);
}

static void other_epoll(void)
{
    if (dup2(CHANNEL_FD, EPOLL_FD) < 0)
        _exit(92);
}

static void load_no_filter(void)
{
    without_filter = true;
}

static void load_one_more(void)
{
    if (!filter_load(POLICY_WORKER, NULL))
        _exit(92);
}

static const struct part parts[] = {
    {"good", NULL, NULL, NULL, NULL},
    {"bad-version", NULL, NULL, bad_version, NULL},
    {"unknown-type", NULL, NULL, unknown_type, NULL},
    {"type-none", NULL, NULL, type_none, NULL},
    {"highest-type", NULL, NULL, highest_type, NULL},
    {"type-of-another", NULL, NULL, type_of_another, NULL},
    {"same-sequence", NULL, NULL, same_sequence, NULL},
    {"next-sequence", NULL, NULL, next_sequence, NULL},
    {"reserved-set", NULL, NULL, reserved_set, NULL},
    {"body-set", NULL, NULL, body_set, NULL},
    {"status-beyond", NULL, NULL, status_beyond, NULL},
    {"status-negative", NULL, NULL, status_negative, NULL},
    {"slot-set", NULL, NULL, slot_set, NULL},
    {"too-short", NULL, NULL, too_short, NULL},
    {"one-byte", NULL, NULL, one_byte, NULL},
    {"no-byte", NULL, NULL, no_byte, NULL},
    {"too-long", NULL, NULL, too_long, NULL},
    {"very-long", NULL, NULL, very_long, NULL},
    {"one-descriptor", NULL, NULL, one_descriptor, NULL},
    {"many-descriptors", NULL, NULL, many_descriptors, NULL},
    {"descriptors-in-parts", NULL, NULL, descriptors_in_parts, NULL},
    {"ready-again", NULL, NULL, say_ready, NULL},
    {"serving-again", NULL, NULL, say_serving, NULL},
    {"failed-while-serving", NULL, NULL, say_failed, NULL},
    {"unknown-step", say_unknown_step, NULL, NULL, NULL},
    {"serving-before-ready", say_serving, NULL, NULL, NULL},
    {"descriptors-before-ready", many_descriptors, NULL, NULL, NULL},
    {"ready-twice", NULL, say_ready, NULL, NULL},
    {"flood-of-messages", NULL, NULL, flood_channel, NULL},
    {"flood-of-failures", NULL, flood_failures, NULL, NULL},
    {"flood-of-lines", NULL, NULL, flood_log, NULL},
    {"control-characters", NULL, NULL, log_control_characters, NULL},
    {"shut-log", NULL, NULL, shut_log, NULL},
    {"leave-channel", NULL, NULL, leave_channel, NULL},
    {"shut-channel", NULL, NULL, shut_channel, NULL},
    {"hang-before-ready", hang, NULL, NULL, NULL},
    {"leave-before-ready", leave, NULL, NULL, NULL},
    {"leave-before-serving", NULL, leave, NULL, NULL},
    {"leave-while-serving", NULL, NULL, leave, NULL},
    {"die-before-ready", die, NULL, NULL, NULL},
    {"fail-before-ready", fail_step, NULL, NULL, NULL},
    {"die-when-drained", NULL, NULL, die_when_drained, NULL},
    {"hang-when-drained", NULL, NULL, hang, NULL},
    {"keep-a-descriptor", keep_a_descriptor, NULL, NULL, NULL},
    {"lose-epoll", lose_epoll, NULL, NULL, NULL},
    {"other-epoll", other_epoll, NULL, NULL, NULL},
    {"no-filter", load_no_filter, NULL, NULL, NULL},
    {"one-filter-more", load_one_more, NULL, NULL, NULL},
    {"nursery-leaves", NULL, NULL, NULL, leave},
    {"nursery-fails", NULL, NULL, NULL, fail_step},
    {"nursery-talks-nonsense", NULL, NULL, NULL, one_byte},
    {"nursery-says-what-workers-say", NULL, NULL, NULL, say_serving},
};

static const struct part *part(void)
{
    unsigned number = digits(2);
    unsigned worker = (unsigned)getpid() - 1; /* the nursery is process 1 of its namespace */
    bool mine = number < sizeof(parts) / sizeof(parts[0]) && (worker == 0 || worker >= digits(6));
    return &parts[mine ? number : 0];
}

static void play(void (*act)(void))
{
    if (act != NULL)
        act();
}

#ifdef METAWARD_SANITIZED
/* What a sanitized nursery becomes where it is to start a reader: here it never is. */
int reader_run(void)
{
    return STEP_EXEC;
}
#endif

int start_failed(int step)
{
    return step;
}

int start_worker(void)
{
    channel_begin(&channel, CHANNEL_FD);
    if (hear() != MSG_SETTINGS || epoll_create1(EPOLL_CLOEXEC) != EPOLL_FD || !confine_not_dumpable())
        return 93;
    play(part()->before_ready);
    if (!without_filter && !filter_load(POLICY_WORKER, NULL))
        return 94;
    say(MSG_READY, 0, 0);
    phase = PHASE_WORKER_LISTENERS;
    while (hear() != MSG_SERVE)
        ;
    play(part()->instead_of_serving);
    say(MSG_SERVING, 0, 0);
    phase = PHASE_WORKER;
    play(part()->serving);
    idle();
    return 0;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof(parts) / sizeof(parts[0]); i++)
        puts(parts[i].name);
    if (argc != 3)
        return 0;
    name = argv[2];
    if (strcmp(argv[1], "worker") == 0)
        _exit(start_worker());
    channel_begin(&channel, CHANNEL_FD);
    play(part()->nursery);
    _exit(nursery_run(argv[2], strcmp(argv[1], "nursery-host") == 0 ? POLICY_NURSERY_HOST : POLICY_NURSERY));
}
