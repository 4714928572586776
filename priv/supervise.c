/*
 * The parent's loop. See supervise.h for the theory.
 */
#include "priv/supervise.h"

#include "ipc/channel.h"
#include "ipc/logsocket.h"
#include "ipc/report.h"
#include "ipc/signals.h"
#include "ipc/steps.h"
#include "policy/confine.h"
#include "policy/facts.h"
#include "policy/filter.h"
#include "policy/lockdown.h"
#include "priv/launch.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKER_SLOT     0
#define PAUSE_FIRST_MS  100 /* after the second failure in a row; doubled for each further one */
#define PAUSE_MOST_MS   5000
#define FAILURES_MOST   8     /* workers in a row that never served: give up */
#define STEADY_MS       60000 /* a worker that lived this long has proved itself */
#define MESSAGES_FIRST  16    /* of a worker; it has two to send, and then at most one a second */
#define START_MOST_MS   10000 /* a worker that is not serving by then hangs */
#define LOG_RETRY_MS    1000
#define NURSERY_LAST_MS 1000 /* how long the end waits for the nursery's */

enum { POLL_NURSERY, POLL_WORKER, POLL_RELAY, POLL_REPORT, POLL_COUNT };

static struct {
    const struct config *config;
    struct prepared *prepared;
    const struct milestones *milestones;
    struct facts facts;
    struct logsocket log;
    struct channel nursery, worker; /* fd -1: none */
    pid_t nursery_pid, worker_pid;  /* 0: none, or not known yet */
    uint32_t nursery_phase, worker_phase;
    unsigned failures; /* workers in a row that did not last */
    int64_t due; /* when the next worker is to be started, or the starting one must serve; 0: nothing due */
    int64_t started_at; /* when the worker was started */
    int64_t log_due;    /* when the log is to be connected again; 0: it is */
    bool ever_served, draining, ending;
} self;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool tell(struct channel *channel, enum message_type type, const int *fds)
{
    struct message message;
    message_begin(&message, type);
    if (type == MSG_SETTINGS)
        message.body.settings = self.config->worker;
    return channel_send(channel, &message, fds) == CHANNEL_OK;
}

/* That the nursery is gone is no failure here: receive_nursery() tells it, after its last words. */
static bool tell_nursery(enum message_type type, const int *fds)
{
    return tell(&self.nursery, type, fds) || errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN;
}

static void forget_worker(void)
{
    if (self.worker.fd >= 0)
        close(self.worker.fd);
    self.worker.fd = -1;
    self.worker_pid = 0;
}

/* A channel of its own for each worker: nothing that an old one has sent can be taken for the new one's. */
static int start_worker(void)
{
    int ends[2];
    if (!logsocket_renew(&self.log))
        return report_failed(STEP_LOG, errno, "worker");
    if (!channel_pair(ends))
        return report_failed(STEP_CHANNEL, errno, "worker");
    channel_begin(&self.worker, ends[0]);
    self.worker_phase = PHASE_PARENT_WORKER_START;
    self.started_at = now_ms();
    self.due = self.started_at + START_MOST_MS;
    bool told = tell_nursery(MSG_SPAWN, (const int[]){ends[1], self.log.worker}) &&
                tell(&self.worker, MSG_SETTINGS, NULL);
    int error = errno;
    close(ends[1]);
    return told ? 0 : report_failed(STEP_CHANNEL, error, "nursery");
}

/* Its end comes back as MSG_EXITED, and that is where the next one is started. */
static int end_worker(void)
{
    close(self.worker.fd);
    self.worker.fd = -1;
    self.due = 0;
    return tell_nursery(MSG_KILL, NULL) ? 0 : report_failed(STEP_CHANNEL, errno, "nursery");
}

/* The worker is not what it should be: nothing of what it said is used. */
static int distrust(const char *why)
{
    report_event("event=worker-killed pid=%d why=\"%s\"", (int)self.worker_pid, why);
    return end_worker();
}

static int worker_ended(int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    int step = code >= STEP_DESCRIPTORS && code <= STEP_READER ? code : STEP_WORKER_DIED;
    report_end((int)self.worker_pid, status);
    forget_worker();
    if (self.draining) { /* nothing is left to finish, however it ended */
        self.ending = true;
        return status == 0 ? 0 : report_failed(step, 0, "worker");
    }
    if (!self.ever_served)
        return report_failed(step, 0, "worker");
    if (self.worker_phase == PHASE_PARENT_WORKER && now_ms() - self.started_at >= STEADY_MS)
        self.failures = 0;
    if (self.failures++ == 0)
        return start_worker();
    if (self.failures > FAILURES_MOST && self.worker_phase != PHASE_PARENT_WORKER)
        return report_failed(step, 0, "worker");
    int64_t pause = PAUSE_FIRST_MS << (self.failures < 8 ? self.failures - 2 : 6);
    self.due = now_ms() + (pause < PAUSE_MOST_MS ? pause : PAUSE_MOST_MS);
    return 0;
}

static int on_nursery_message(const struct message *message)
{
    switch ((enum message_type)message->type) {
    case MSG_NURSERY_READY:
        self.nursery_phase = PHASE_PARENT_NURSERY;
        return start_worker();
    case MSG_EXITED:
        return worker_ended(message->status);
    default: /* MSG_FAILED */
        return report_failed(message->step, message->status, "nursery");
    }
}

/* The worker says that it is confined. Look for ourselves before it gets its first listener. */
static int hand_over(pid_t pid)
{
    self.worker_pid = pid;
    const char *wrong = facts_status(pid, &self.facts);
    if (wrong == NULL && !self.ever_served)
        wrong = facts_surroundings(pid);
    if (wrong != NULL && !self.ever_served)
        return report_failed(STEP_FACTS, 0, wrong);
    if (wrong != NULL)
        return distrust(wrong);
    struct message message;
    message_begin(&message, MSG_NETWORK);
    message.body.network = self.config->network;
    if (channel_send(&self.worker, &message, NULL) != CHANNEL_OK)
        return distrust("it takes no network");
    for (unsigned i = 0; i < self.config->listener_count; i++) {
        message_begin(&message, MSG_LISTENER);
        message.slot = (uint16_t)i;
        message.body.address = self.config->listeners[i];
        if (channel_send(&self.worker, &message, &self.prepared->listeners[i]) != CHANNEL_OK)
            return distrust("it takes no listener");
    }
    self.worker_phase = PHASE_PARENT_WORKER_READY;
    return tell(&self.worker, MSG_SERVE, NULL) ? 0 : distrust("it takes no message");
}

/* The first worker serves: write the pid file, and give up every capability and most system calls. */
static int settle(void)
{
    const struct policy_values values = {&logsocket_device, sizeof(logsocket_device)};
    int step = self.milestones->serving();
    if (step != 0)
        return step;
    close(self.prepared->executable);
    close(self.prepared->backend_directory);
    step = confine_parent();
    if (step != 0)
        return report_failed(step, errno, "parent");
    /* Later workers are looked at without power: find out now whether that works, by the nursery, which must
     * be confined like a worker but for the last filter. */
    struct facts nursery = self.facts;
    nursery.filters--;
    const char *wrong = facts_status(self.nursery_pid, &nursery);
    if (wrong != NULL)
        return report_failed(STEP_FACTS, 0, wrong);
    step = self.milestones->settled();
    if (step != 0)
        return step;
    report_open(&self.config->worker, self.log.own);
    if (!filter_load(POLICY_PARENT, &values))
        return report_failed(STEP_FILTER, errno, "parent");
    return self.milestones->confined(0);
}

static int serving(void)
{
    bool first = !self.ever_served;
    self.worker_phase = PHASE_PARENT_WORKER;
    self.due = 0;
    self.ever_served = true;
    int step = first ? settle() : 0;
    if (step == 0)
        report_event("event=serving pid=%d user=%u", (int)self.worker_pid, (unsigned)self.facts.uid);
    return step;
}

static int on_worker_message(const struct received *received)
{
    int step;
    switch ((enum message_type)received->message.type) {
    case MSG_READY:
        return hand_over(received->pid);
    case MSG_SERVING:
        return serving();
    case MSG_LOG_BROKEN:
        self.log_due = self.log_due != 0 ? self.log_due : now_ms();
        return 0;
    default: /* MSG_FAILED: its end follows as MSG_EXITED; a first worker's ends the start */
        self.worker_pid = received->pid;
        step = report_failed(received->message.step, received->message.status, "worker");
        return self.ever_served ? 0 : step;
    }
}

static int receive_worker(void)
{
    struct received received;
    while (self.worker.fd >= 0) {
        enum channel_result result = channel_receive(&self.worker, self.worker_phase, &received);
        if (result == CHANNEL_AGAIN)
            return 0;
        if (result == CHANNEL_BAD)
            return distrust("a message that is not valid");
        if (result != CHANNEL_OK)
            return end_worker(); /* dead already, as a rule; without its channel it must not go on either */
        if (received.message.sequence > MESSAGES_FIRST + (now_ms() - self.started_at) / 1000)
            return distrust("too many messages");
        int step = on_worker_message(&received);
        if (step != 0)
            return step;
    }
    return 0;
}

static int receive_nursery(void)
{
    struct received received;
    for (;;) {
        enum channel_result result = channel_receive(&self.nursery, self.nursery_phase, &received);
        if (result == CHANNEL_AGAIN)
            return 0;
        if (result != CHANNEL_OK)
            return report_failed(STEP_NURSERY_DIED, 0, "");
        int step = received.message.type == MSG_EXITED ? receive_worker() : 0; /* its last words first */
        if (step == 0)
            step = on_nursery_message(&received.message);
        if (step != 0)
            return step;
    }
}

static int due(int64_t now)
{
    if (self.log_due != 0 && now >= self.log_due)
        self.log_due = logsocket_connect(&self.log) ? 0 : now + LOG_RETRY_MS;
    if (self.due == 0 || now < self.due)
        return 0;
    self.due = 0;
    if (!self.ever_served)
        return report_failed(STEP_WORKER_DIED, ETIMEDOUT, "worker");
    return self.worker.fd < 0 ? start_worker() : distrust("it does not serve");
}

/* The listeners are closed here too: newcomers are refused at once, and a successor can take the addresses.
 */
static void drain(void)
{
    self.draining = true;
    for (unsigned i = 0; i < self.config->listener_count; i++)
        close(self.prepared->listeners[i]);
    if (!tell(&self.worker, MSG_DRAIN, NULL))
        self.ending = true;
}

/* Wait for the next message, signal or due time, and do what it asks. */
static int turn(void)
{
    struct pollfd polled[POLL_COUNT] = {[POLL_NURSERY] = {.fd = self.nursery.fd, .events = POLLIN},
                                        [POLL_WORKER] = {.fd = self.worker.fd, .events = POLLIN},
                                        [POLL_RELAY] = {.fd = self.log.relay, .events = POLLIN},
                                        [POLL_REPORT] = {.fd = report_waits_for(), .events = POLLOUT}};
    if (self.log.waits)
        polled[POLL_RELAY] = (struct pollfd){.fd = STDERR_FILENO, .events = POLLOUT};
    sigset_t none;
    sigemptyset(&none);
    int64_t now = now_ms(), next = self.due;
    if (self.log_due != 0 && (next == 0 || self.log_due < next))
        next = self.log_due;
    int64_t left = next > now ? next - now : 0;
    struct timespec pause = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
    int ready = ppoll(polled, POLL_COUNT, next != 0 ? &pause : NULL, &none);
    if (ready < 0 && errno != EINTR)
        return report_failed(STEP_CHANNEL, errno, "ppoll");
    if (ready > 0) /* then no signal was let in: a child that never stops talking must not keep them out */
        ppoll(NULL, 0, &(const struct timespec){0, 0}, &none);
    if (signals_wish() == WISH_DRAIN && !self.draining && self.worker_phase == PHASE_PARENT_WORKER)
        drain();
    (void)report_flush();
    if (self.log.relay >= 0)
        logsocket_relay(&self.log);
    int step = self.worker.fd >= 0 ? receive_worker() : 0;
    if (step == 0)
        step = receive_nursery();
    return step != 0 ? step : due(now_ms());
}

/* End of file on its channel ends the nursery, and with it every worker; wait until their sockets are gone.
 */
static void end_nursery(void)
{
    close(self.nursery.fd);
    int64_t until = now_ms() + NURSERY_LAST_MS;
    while (waitpid(self.nursery_pid, NULL, WNOHANG) == 0 && now_ms() < until) {
        struct timespec pause = {.tv_nsec = 1000000};
        sigset_t none;
        sigemptyset(&none);
        ppoll(NULL, 0, &pause, &none); /* SIGCHLD ends the pause */
    }
    if (self.log.relay >= 0)
        logsocket_relay(&self.log);
}

static int begin(void)
{
    int ends[2];
    int filters = facts_filters();
    if (filters < 0)
        return report_failed(STEP_FACTS, errno, "/proc/self/status");
    self.facts =
        (struct facts){self.prepared->account.uid, self.prepared->account.gid, (unsigned)filters + 2};
    if (!logsocket_open(self.config->worker.log_target, &self.log))
        return report_failed(STEP_LOG, errno, "");
    if (!logsocket_connect(&self.log)) {
        report_event("event=log-absent path=/dev/log error=%s will=\"connect when it appears\"",
                     errno_name(errno));
        self.log_due = now_ms() + LOG_RETRY_MS;
    }
    if (!signals_hold() || !channel_pair(ends))
        return report_failed(STEP_CHANNEL, errno, "nursery");
    self.nursery_pid = launch_nursery(self.config, self.prepared, ends[1]);
    if (self.nursery_pid < 0)
        return report_failed(STEP_START_NURSERY, errno, "");
    close(ends[1]);
    channel_begin(&self.nursery, ends[0]);
    self.nursery_phase = PHASE_PARENT_NURSERY_START;
    self.due = now_ms() + START_MOST_MS;
    malloc_trim(0);
    return 0;
}

int supervise(const struct config *config, struct prepared *prepared, const struct milestones *milestones)
{
    self.config = config;
    self.prepared = prepared;
    self.milestones = milestones;
    self.worker.fd = -1;
    int step = begin();
    while (step == 0 && !self.ending && signals_wish() != WISH_END)
        step = turn();
    if (self.nursery_pid > 0)
        end_nursery();
    return step;
}
