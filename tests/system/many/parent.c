/*
 * A parent that does what it is told, line by line: the real nursery and the real worker serve whatever
 * networks a test wants.
 *
 *     parent WORKER DIRECTORY COUNTED [SETTING NUMBER]...
 *
 * It starts the nursery and one worker as metawardd does, with the agent's socket "metadata_proxy" in
 * DIRECTORY, and says "ready PID". Then it reads lines from its standard input, sends each as a message and
 * answers "ok":
 *
 *     network NUMBER IDENTITY UUID TAG|- LIMIT PERIOD_S     MSG_NETWORK
 *     listen SLOT NUMBER ADDRESS NAMESPACE                  MSG_LISTENER, of a new socket in there
 *     unlisten SLOT, remove NUMBER, serve, drain
 *     count NUMBER                                          what was counted for it, where COUNTED is not 0
 *
 * In between come "serving", "log LINE", "count NAME=NUMBER..." and, last of all, "exited STATUS". The worker
 * ends with its input.
 */
#include "ipc/channel.h"
#include "ipc/counters.h"
#include "ipc/listen.h"
#include "ipc/reason.h"
#include "ipc/text.h"
#include "policy/confine.h"
#include "policy/descriptors.h"
#include "policy/netns.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

enum { POLL_INPUT, POLL_NURSERY, POLL_WORKER, POLL_LOG, POLL_COUNT };

static struct channel nursery, worker;
static uint32_t worker_phase = PHASE_PARENT_WORKER_START;
static int log_end, home;
static int counters = -1; /* the worker counts there */

static void say(const char *word, long number)
{
    printf("%s %ld\n", word, number);
    fflush(stdout);
}

/* A worker that ended takes nothing; its end is told by the nursery. */
static void tell(struct channel *channel, struct message *message, const int *fds)
{
    enum channel_result result;

    while ((result = channel_send(channel, message, fds)) == CHANNEL_AGAIN) {
        struct pollfd polled = {.fd = channel->fd, .events = POLLOUT};
        if (poll(&polled, 1, -1) < 0)
            err(1, "poll");
    }
    if (result != CHANNEL_OK && errno != EPIPE && errno != ECONNRESET)
        err(1, "sending a message");
}

static void await(struct channel *channel, uint32_t phase, enum message_type type, struct received *received)
{
    enum channel_result result;

    while ((result = channel_receive(channel, phase, received)) == CHANNEL_AGAIN) {
        struct pollfd polled = {.fd = channel->fd, .events = POLLIN};
        if (poll(&polled, 1, -1) < 0)
            err(1, "poll");
    }
    if (result != CHANNEL_OK || received->message.type != type)
        errx(1, "message %d in place of %d: step %d, errno %d", received->message.type, type,
             received->message.step, received->message.status);
}

static void set(struct settings *settings, const char *name, const char *value)
{
#define SET(field, standard, least, most, meaning)                                                           \
    if (strcmp(name, #field) == 0)                                                                           \
        settings->field = (uint32_t)strtoul(value, NULL, 10);
    METAWARD_LIMITS(SET)
    METAWARD_TABLES(SET)
    METAWARD_TIMEOUTS(SET)
#undef SET
    if (strcmp(name, "upstream_reuse") == 0)
        settings->upstream_reuse = (uint8_t)strtoul(value, NULL, 10);
}

static void become_nursery(struct confinement *confinement)
{
    char *const arguments[] = {"metaward-worker", "nursery", "many", NULL};
    char *const environment[] = {NULL};

    if (confine_before_exec(confinement) == 0)
        syscall(SYS_execveat, NURSERY_EXECUTABLE_FD, "", arguments, environment, AT_EMPTY_PATH);
    _exit(1);
}

static void start_nursery(const char *executable, const char *directory, const struct settings *settings)
{
    struct confinement confinement = {
        .uid = NOBODY, .gid = NOBODY, .descriptors = settings_descriptors(settings)};
    int ends[2];

    confinement.executable = open(executable, O_PATH | O_CLOEXEC);
    confinement.directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (confinement.executable < 0 || confinement.directory < 0 || !channel_pair(ends))
        err(1, "preparing");
    confinement.root = confine_tree(confinement.directory);
    confinement.channel = ends[1];
    if (confinement.root < 0)
        err(1, "the root");
    long pid = syscall(SYS_clone, confine_namespaces | SIGCHLD, NULL, NULL, NULL, 0);
    if (pid == 0)
        become_nursery(&confinement);
    if (pid < 0)
        err(1, "the nursery");
    close(ends[1]);
    channel_begin(&nursery, ends[0]);
}

/* Memory for so many networks. */
static void hand_counters(uint32_t networks)
{
    struct message message;

    counters = counters_make(networks);
    if (counters < 0)
        err(1, "counters");
    message_begin(&message, MSG_COUNTERS);
    tell(&worker, &message, &counters);
}

static void say_counters(uint32_t number)
{
    struct counters now;

    if (!counters_read(counters, number, &now))
        err(1, "counters");
    printf("count uuid=%s connections=%lu open=%lu spoofs=%lu rate_limited=%lu queued=%lu in_flight=%lu "
           "latency_ms=%lu",
           now.uuid, now.connections, now.open_now, now.spoofs, now.rate_limited, now.queued, now.in_flight,
           now.latency_ms);
    for (unsigned i = 0; i < COUNTERS_CLASSES; i++)
        printf(" class%u=%lu", i, now.requests[i]);
    for (unsigned i = 0; i < COUNTERS_LATENCIES; i++)
        printf(" to%u=%lu", counters_latency_most[i], now.latency[i]);
    for (unsigned i = 0; i < REASON_COUNT; i++)
        if (now.refused[i] != 0)
            printf(" %s=%lu", http_reason_id(i), now.refused[i]);
    puts("");
    fflush(stdout);
}

static void start_worker(const struct settings *settings, uint32_t counted)
{
    struct received received;
    struct message message;
    int ends[2], logs[2];

    await(&nursery, PHASE_PARENT_NURSERY_START, MSG_NURSERY_READY, &received);
    if (!channel_pair(ends) || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, logs) != 0)
        err(1, "sockets");
    message_begin(&message, MSG_SPAWN);
    tell(&nursery, &message, (const int[]){ends[1], logs[1]});
    close(ends[1]);
    close(logs[1]);
    log_end = logs[0];
    channel_begin(&worker, ends[0]);
    if (counted != 0)
        hand_counters(counted);
    message_begin(&message, MSG_SETTINGS);
    message.body.settings = *settings;
    tell(&worker, &message, NULL);
    await(&worker, PHASE_PARENT_WORKER_START, MSG_READY, &received);
    worker_phase = PHASE_PARENT_WORKER_READY;
    say("ready", received.pid);
}

static int make_listener(void *address)
{
    int fd = listen_socket(address);

    return fd >= 0 && listen_at(fd, address) ? fd : -1;
}

static void listen_on(struct message *message, const char *address, const char *namespace)
{
    int inside = netns_open(namespace), fd = -1;
    const char *wrong = address_parse(address, &message->body.address);

    if (wrong != NULL)
        errx(1, "%s: %s", address, wrong);
    if (inside < 0 || !netns_inside(home, inside, make_listener, &message->body.address, &fd) || fd < 0)
        err(1, "listening at %s in %s", address, namespace);
    tell(&worker, message, &fd);
    close(fd);
    close(inside);
}

static void obey(const char *line)
{
    struct message message;
    struct network *network = &message.body.network;
    char uuid[64], tag[128], address[128], namespace[256];
    unsigned identity, slot, number;

    if (sscanf(line, "count %u", &number) == 1) {
        say_counters(number);
        return;
    }
    message_begin(&message, MSG_NETWORK);
    if (sscanf(line, "network %u %u %63s %127s %u %u", &message.network, &identity, uuid, tag,
               &network->rate[0].limit, &network->rate[0].period_s) == 6) {
        network->identity = (uint8_t)identity;
        text_store(network->uuid, sizeof(network->uuid), uuid);
        text_store(network->log_tag, sizeof(network->log_tag), strcmp(tag, "-") == 0 ? "" : tag);
        tell(&worker, &message, NULL);
        return;
    }
    message_begin(&message, MSG_LISTENER);
    if (sscanf(line, "listen %u %u %127s %255s", &slot, &message.network, address, namespace) == 4) {
        message.slot = (uint16_t)slot;
        listen_on(&message, address, namespace);
        return;
    }
    message_begin(&message, MSG_UNLISTEN);
    if (sscanf(line, "unlisten %u", &slot) == 1) {
        message.slot = (uint16_t)slot;
    } else if (message_begin(&message, MSG_REMOVE), sscanf(line, "remove %u", &message.network) == 1) {
        ;
    } else {
        message_begin(&message, strcmp(line, "serve\n") == 0 ? MSG_SERVE : MSG_DRAIN);
    }
    tell(&worker, &message, NULL);
}

static void on_input(void)
{
    static char line[1024];

    if (fgets(line, sizeof(line), stdin) == NULL)
        exit(0); /* the nursery and the worker end with their channels */
    obey(line);
    puts("ok");
    fflush(stdout);
}

static void on_log(void)
{
    char line[4096];
    ssize_t length = recv(log_end, line, sizeof(line), MSG_DONTWAIT);

    if (length > 0) {
        printf("log %.*s\n", (int)length, line);
        fflush(stdout);
    }
}

static void on_worker(void)
{
    struct received received;
    enum channel_result result = channel_receive(&worker, worker_phase, &received);

    if (result == CHANNEL_OK && received.message.type == MSG_SERVING) {
        worker_phase = PHASE_PARENT_WORKER;
        say("serving", 0);
    } else if (result != CHANNEL_AGAIN) {
        struct message message;

        message_begin(&message, MSG_KILL); /* it has ended: ask how */
        tell(&nursery, &message, NULL);
        close(worker.fd);
        worker.fd = -1;
    }
}

static void on_nursery(void)
{
    struct received received;

    await(&nursery, PHASE_PARENT_NURSERY, MSG_EXITED, &received);
    for (int last = 0; last < 100; last++)
        on_log();
    say("exited", received.message.status);
    exit(0);
}

int main(int argc, char **argv)
{
    struct settings settings;

    home = netns_open("/proc/self/ns/net");
    if (home < 0 || argc < 4 || chdir("/") != 0)
        err(1, "usage: parent WORKER DIRECTORY COUNTED [SETTING NUMBER]...");
    setvbuf(stdin, NULL, _IONBF, 0); /* poll() must see what is left */
    settings_default(&settings);
    strcpy(settings.backend, "/metadata_proxy");
    for (int i = 4; i + 1 < argc; i += 2)
        set(&settings, argv[i], argv[i + 1]);
    start_nursery(argv[1], argv[2], &settings);
    start_worker(&settings, (uint32_t)strtoul(argv[3], NULL, 10));
    for (;;) {
        struct pollfd polled[POLL_COUNT] = {[POLL_INPUT] = {.fd = STDIN_FILENO, .events = POLLIN},
                                            [POLL_NURSERY] = {.fd = nursery.fd, .events = POLLIN},
                                            [POLL_WORKER] = {.fd = worker.fd, .events = POLLIN},
                                            [POLL_LOG] = {.fd = log_end, .events = POLLIN}};
        if (poll(polled, POLL_COUNT, -1) < 0)
            err(1, "poll");
        if (polled[POLL_LOG].revents != 0)
            on_log();
        if (polled[POLL_WORKER].revents != 0)
            on_worker();
        if (polled[POLL_NURSERY].revents != 0)
            on_nursery();
        if (polled[POLL_INPUT].revents != 0)
            on_input();
    }
}
