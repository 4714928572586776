/*
 * The launcher: it has the power that the host daemon's start needs, so that the daemon never has it.
 *
 * A service manager starts one for each connection to a socket that only root can reach, with that connection
 * as its descriptor 0. It serves this one daemon: starts readers and the nursery by the functions by which a
 * daemon without a launcher starts them itself (policy/power.c is the other end), looks at the first worker,
 * and then gives up every capability and most system calls, becomes the nursery's user, and is nothing but
 * its parent: with the launcher the nursery ends, and with the daemon, whose end closes the connection, the
 * launcher.
 *
 * It parses no text. What it executes is compiled in and checked, root is no user that it gives, and
 * confinement is not asked for but always there: whoever takes the daemon over before its first worker serves
 * can have a confined nursery made, and afterwards nothing. A request that is not valid ends it.
 */
#include "ipc/clock.h"
#include "ipc/control_peer.h"
#include "ipc/inherited.h"
#include "ipc/launcher.h"
#include "ipc/report.h"
#include "ipc/signals.h"
#include "ipc/steps.h"
#include "ipc/text.h"
#include "policy/confine.h"
#include "policy/filter.h"
#include "policy/launch.h"
#include "policy/policy.h"
#include "policy/reader_process.h"
#include "policy/resolve.h"
#include "policy/trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    int connection;
    int executable, reader_executable; /* O_PATH */
    unsigned filters;                  /* loaded before ours */
    uint32_t received, sent;
    pid_t nursery; /* 0: none */
    uid_t uid;     /* the nursery's */
    gid_t gid;
    struct reader_process reader; /* pid 0: none */
    bool settled;
} self;

static uint32_t phase(void)
{
    if (self.settled)
        return LAUNCHER_SETTLED;
    if (self.nursery > 0)
        return self.reader.pid > 0 ? LAUNCHER_BOTH : LAUNCHER_NURSED;
    return self.reader.pid > 0 ? LAUNCHER_READING : LAUNCHER_NEW;
}

static int start_reader(struct launcher_reply *reply, int *end)
{
    int step = reader_start(-1, &self.reader);
    if (step != 0) {
        self.reader.pid = 0;
        return step;
    }
    reply->pid = self.reader.pid;
    *end = self.reader.channel;
    return 0;
}

static int start_nursery(const struct launcher_request *request, struct launcher_reply *reply, int *end)
{
    struct confinement confinement = {.uid = request->uid,
                                      .gid = request->gid,
                                      .descriptors = request->descriptors,
                                      .executable = self.executable,
                                      .reader = self.reader_executable};
    int step = resolve_directory(request->backend, &confinement.directory);
    if (step != 0)
        return step;
    pid_t pid = launch_nursery(&confinement, request->name, end);
    reply->error = pid > 0 ? 0 : errno;
    close(confinement.directory);
    if (pid <= 0)
        return STEP_START_NURSERY;
    self.nursery = reply->pid = pid;
    self.uid = request->uid;
    self.gid = request->gid;
    reply->filters = self.filters;
    return 0;
}

/* For good: the answer comes from a process that has nothing any more. */
static int settle(struct launcher_reply *reply)
{
    close(self.executable);
    close(self.reader_executable);
    int step = confine_launcher(self.uid, self.gid);
    if (step == 0 && !filter_load(POLICY_LAUNCHER, NULL))
        step = STEP_FILTER;
    reply->error = step != 0 ? errno : 0;
    self.settled = step == 0;
    return step;
}

/* Do what is asked. @return 0, or the step that failed; `end`: what goes back with the reply */
static int meet(const struct launcher_request *request, int given, struct launcher_reply *reply, int *end)
{
    const char *wrong;
    switch ((enum launcher_type)request->type) {
    case LAUNCHER_READER:
        return start_reader(reply, end);
    case LAUNCHER_READER_END: {
        int step = kill(self.reader.pid, SIGKILL) == 0 &&
                           waitpid(self.reader.pid, &reply->status, 0) == self.reader.pid
                       ? 0
                       : STEP_READER;
        self.reader.pid = 0;
        return step;
    }
    case LAUNCHER_NURSERY:
        return start_nursery(request, reply, end);
    case LAUNCHER_LOOK:
        wrong = facts_surroundings(request->pid, FACTS_WORKER);
        text_append(reply->why, sizeof(reply->why), 0, wrong != NULL ? wrong : "");
        return 0;
    case LAUNCHER_GIVE:
        reply->error = control_give(given, request->gid) ? 0 : errno;
        return reply->error == 0 ? 0 : STEP_CONTROL;
    default:
        return settle(reply);
    }
}

/* Whether the reply can be sent is seen at the next turn: where it can't, the connection is broken. */
static bool answer(enum launcher_type type, struct launcher_reply *reply, int end)
{
    struct launcher_reply failure;
    if (reply->step != 0) {
        launcher_reply_begin(&failure, type);
        failure.step = reply->step;
        failure.error = reply->error;
        reply = &failure;
    }
    return launcher_answer(self.connection, &self.sent, reply, end) == CHANNEL_OK;
}

/* One request. @return false where there is no more to be done for this daemon */
static bool serve(void)
{
    struct launcher_request request;
    struct launcher_reply reply;
    int given, end = -1;
    enum channel_result result = launcher_hear(self.connection, &self.received, phase(), &request, &given);
    if (result == CHANNEL_AGAIN)
        return true;
    if (result == CHANNEL_BAD)
        report_event("event=launcher-refused why=\"a request that is not valid\"");
    if (result != CHANNEL_OK)
        return false;
    launcher_reply_begin(&reply, (enum launcher_type)request.type);
    reply.step = meet(&request, given, &reply, &end);
    bool answered = answer((enum launcher_type)request.type, &reply, end);
    if (given >= 0)
        close(given);
    if (end >= 0)
        close(end);
    return answered;
}

/* Has the nursery ended? The daemon is told how, and then there is nobody to be the parent of. */
static bool nursery_ended(void)
{
    struct launcher_reply reply;
    launcher_reply_begin(&reply, LAUNCHER_NURSERY_END);
    if (self.nursery <= 0 || waitpid(self.nursery, &reply.status, WNOHANG) != self.nursery)
        return false;
    self.nursery = 0;
    (void)answer(LAUNCHER_NURSERY_END, &reply, -1);
    return true;
}

static void run(void)
{
    sigset_t none;
    sigemptyset(&none);
    while (signals_wish() == WISH_NONE && !nursery_ended()) {
        struct pollfd polled = {.fd = self.connection, .events = POLLIN};
        if (ppoll(&polled, 1, NULL, &none) > 0 && !serve())
            break;
    }
    launch_end(self.connection, self.nursery);
}

/* The connection is moved to where no child's descriptors go. */
static int take_connection(void)
{
    struct control_who who;
    if (!control_judge(STDIN_FILENO, CONTROL_NO_GROUP, &who))
        return report_failed(STEP_LAUNCHER, errno, "no connection as standard input");
    if (who.peer != CONTROL_BY_ROOT)
        return report_failed(STEP_LAUNCHER, EPERM, "somebody else than root asks");
    self.connection = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (self.connection < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0)
        return report_failed(STEP_DESCRIPTORS, errno, "");
    close(null);
    return 0;
}

static int prepare(void)
{
    static const char worker[] = METAWARD_LIBEXECDIR "/metaward-worker";
    static const char reader[] = METAWARD_LIBEXECDIR "/metaward-reader";
    int filters = facts_filters();
    if (filters < 0)
        return report_failed(STEP_FACTS, errno, "/proc/self/status");
    self.filters = (unsigned)filters;
    self.executable = trusted_executable(worker);
    if (self.executable < 0)
        return report_failed(STEP_WORKER_EXECUTABLE, errno, worker);
    self.reader_executable = trusted_executable(reader);
    if (self.reader_executable < 0)
        return report_failed(STEP_WORKER_EXECUTABLE, errno, reader);
    return signals_hold() ? 0 : report_failed(STEP_CHANNEL, errno, "signals");
}

int main(void)
{
    if (!inherited_drop())
        return report_failed(STEP_DESCRIPTORS, errno, "");
    if (geteuid() != 0)
        return report_failed(STEP_PRIVILEGE, EPERM, "");
    if (policy_delta() != NULL)
        report_event("event=confinement-delta what=\"%s\"", policy_delta());
    int step = take_connection();
    if (step == 0)
        step = prepare();
    if (step == 0)
        run();
    return step;
}
