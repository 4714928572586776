/*
 * The launcher's client. See power.h.
 */
#include "policy/power.h"

#include "ipc/clock.h"
#include "ipc/control_peer.h"
#include "ipc/launcher.h"
#include "ipc/report.h"
#include "policy/facts.h"
#include "policy/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MS 10000
#define END_MS    1000 /* how long the end waits for the nursery's */

static struct {
    const char *path;
    int socket; /* -1: what is to be done is done here */
    pid_t pid;  /* of the launcher, as the kernel told it; 0: not yet */
    uint32_t sent, received;
    struct facts facts; /* what it is when it has settled */
    bool nursery_ended; /* it said so */
    char why[LAUNCHER_WHY_SIZE];
} launcher = {.socket = -1};

static bool is_root(int socket)
{
    struct ucred who;
    socklen_t length = sizeof(who);
    errno = EPERM;
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 && who.uid == 0;
}

int power_use(const char *path)
{
    static const int on = 1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 || !is_root(fd) ||
        setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0)
        return report_failed(STEP_LAUNCHER, errno, path);
    launcher.socket = fd;
    launcher.path = path;
    return 0;
}

const char *power_path(void)
{
    return launcher.path;
}

/* Wait for something of the launcher's until then. */
static enum channel_result await(int64_t until, struct launcher_reply *reply, int *fd)
{
    enum channel_result result;
    while ((result = launcher_take(launcher.socket, &launcher.received, reply, fd, &launcher.pid)) ==
           CHANNEL_AGAIN) {
        struct pollfd polled = {.fd = launcher.socket, .events = POLLIN};
        int64_t left = until - clock_now();
        if (left <= 0) {
            errno = ETIMEDOUT;
            return CHANNEL_ERROR;
        }
        struct timespec pause = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
        ppoll(&polled, 1, &pause, NULL);
    }
    if (result == CHANNEL_CLOSED)
        errno = EPIPE;
    if (result == CHANNEL_OK && reply->type == LAUNCHER_NURSERY_END)
        launcher.nursery_ended = true;
    return result;
}

/* Have it do something. @return 0, or the step that failed, reported */
static int ask(struct launcher_request *request, int given, struct launcher_reply *reply, int *fd)
{
    int64_t until = clock_now() + ANSWER_MS;
    int unused;
    enum channel_result result = launcher_ask(launcher.socket, &launcher.sent, request, given);
    while (result == CHANNEL_OK) {
        result = await(until, reply, fd != NULL ? fd : &unused);
        if (result == CHANNEL_OK && reply->type == request->type)
            return reply->step == 0 ? 0 : report_failed(reply->step, reply->error, "launcher");
        if (result == CHANNEL_OK && reply->type != LAUNCHER_NURSERY_END)
            result = packet_bad();
    }
    return report_failed(STEP_LAUNCHER, errno, "");
}

/* The same, of what needs no more than its type. */
static int ask_simply(enum launcher_type type, struct launcher_reply *reply, int *fd)
{
    struct launcher_request request;
    launcher_request_begin(&request, type);
    return ask(&request, -1, reply, fd);
}

int power_reader_start(struct reader_process *out)
{
    struct launcher_reply reply;
    if (launcher.socket < 0)
        return reader_start(-1, out);
    int step = ask_simply(LAUNCHER_READER, &reply, &out->channel);
    out->pid = step == 0 ? reply.pid : 0;
    return step;
}

int power_reader_end(const struct reader_process *reader, int *status)
{
    struct launcher_reply reply;
    if (launcher.socket < 0)
        return reader_end(reader, status);
    close(reader->channel);
    int step = ask_simply(LAUNCHER_READER_END, &reply, NULL);
    *status = step == 0 ? reply.status : 0;
    return step;
}

int power_nursery(struct confinement *confinement, const char *backend, const char *name, struct nursery *out)
{
    struct launcher_request request;
    struct launcher_reply reply;
    if (launcher.socket < 0) {
        int filters = facts_filters();
        if (filters < 0)
            return report_failed(STEP_FACTS, errno, "/proc/self/status");
        out->filters = (unsigned)filters;
        out->pid = launch_nursery(confinement, name, &out->channel);
        return out->pid > 0 ? 0 : report_failed(STEP_START_NURSERY, errno, "");
    }
    launcher_request_begin(&request, LAUNCHER_NURSERY);
    request.uid = confinement->uid;
    request.gid = confinement->gid;
    request.descriptors = (uint32_t)confinement->descriptors;
    memcpy(request.backend, backend, sizeof(request.backend));
    memcpy(request.name, name, sizeof(request.name));
    int step = ask(&request, -1, &reply, &out->channel);
    if (step != 0)
        return step;
    out->pid = reply.pid;
    out->filters = reply.filters;
    launcher.facts = (struct facts){confinement->uid, confinement->gid, reply.filters + 1};
    return 0;
}

const char *power_look(pid_t worker)
{
    struct launcher_request request;
    struct launcher_reply reply;
    if (launcher.socket < 0)
        return facts_surroundings(worker, FACTS_WORKER);
    launcher_request_begin(&request, LAUNCHER_LOOK);
    request.pid = worker;
    if (ask(&request, -1, &reply, NULL) != 0)
        return "the launcher does not look";
    memcpy(launcher.why, reply.why, sizeof(launcher.why));
    return launcher.why[0] != '\0' ? launcher.why : NULL;
}

/* @param file O_PATH descriptor */
static bool give(int file, gid_t group)
{
    struct launcher_request request;
    struct launcher_reply reply;
    if (launcher.socket < 0)
        return control_give(file, group);
    launcher_request_begin(&request, LAUNCHER_GIVE);
    request.gid = group;
    errno = EPERM;
    return ask(&request, file, &reply, NULL) == 0;
}

bool power_entitle(const char *path, gid_t group)
{
    if (group == CONTROL_NO_GROUP)
        return chmod(path, 0600) == 0;
    int file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0)
        return false;
    bool given = give(file, group) && chmod(path, 0660) == 0;
    int error = errno;
    close(file);
    errno = error;
    return given;
}

static int settle_launcher(void)
{
    struct launcher_reply reply;
    int step = ask_simply(LAUNCHER_SETTLE, &reply, NULL);
    if (step != 0)
        return step;
    const char *wrong = facts_status(launcher.pid, &launcher.facts);
    return wrong == NULL ? 0 : report_failed(STEP_FACTS, 0, wrong);
}

int power_settle(void)
{
    int step = launcher.socket >= 0 ? settle_launcher() : 0;
    if (step != 0)
        return step;
    step = confine_host();
    return step == 0 ? 0 : report_failed(step, errno, "parent");
}

/* While the launcher lives it tells of the nursery's end at once. That its connection ends says less: the
 * service manager has a copy of it for a while. */
bool power_lost(void)
{
    struct launcher_reply reply;
    int fd;
    return launcher.socket >= 0 && !launcher.nursery_ended &&
           await(clock_now() + END_MS, &reply, &fd) != CHANNEL_OK;
}

void power_end(int channel, pid_t nursery)
{
    struct launcher_reply reply;
    int64_t until = clock_now() + END_MS;
    int fd;
    if (nursery <= 0)
        return;
    if (launcher.socket < 0) {
        launch_end(channel, nursery);
        return;
    }
    close(channel);
    while (!launcher.nursery_ended && await(until, &reply, &fd) == CHANNEL_OK)
        continue;
}
