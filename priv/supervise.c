/*
 * The parent's loop. See supervise.h for the theory.
 */
#include "priv/supervise.h"

#include "ipc/clock.h"
#include "ipc/instances.h"
#include "ipc/report.h"
#include "ipc/signals.h"
#include "ipc/steps.h"
#include "policy/agent_access.h"
#include "policy/confine.h"
#include "policy/filter.h"
#include "policy/launch.h"
#include "policy/lockdown.h"
#include "policy/reload.h"
#include "policy/switchboard.h"
#include "priv/worker.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKER_SLOT       0
#define START_MOST_MS     10000 /* a nursery that is not ready by then hangs */
#define INSTANCES_MOST_MS 1000  /* for a worker to take all instances */

enum { POLL_NURSERY, POLL_DIALER, POLL_WORKER, POLL_RELAY, POLL_REPORT, POLL_READER, POLL_COUNT };

static struct {
    const struct config *config;
    struct prepared *prepared;
    const struct milestones *milestones;
    struct facts facts;
    struct worker_owner owner;
    struct worker worker;
    struct channel nursery, dialer; /* dialer.fd -1: there is none */
    pid_t nursery_pid, dialer_pid;  /* 0: none */
    uint32_t nursery_phase;
    int64_t nursery_due; /* when it must be ready; 0: it is */
    bool ending;
} self;

static int on_nursery_message(const struct message *message)
{
    int step;
    if (reload_allowed() && message->slot == RELOAD_SLOT) {
        reload_ended(message->type == MSG_EXITED ? 0 : message->status);
        return 0;
    }
    switch ((enum message_type)message->type) {
    case MSG_NURSERY_READY:
        self.nursery_phase = PHASE_PARENT_NURSERY;
        self.nursery_due = 0;
        return worker_start(&self.worker);
    case MSG_EXITED:
        step = worker_ended(&self.worker, message->status);
        self.ending = self.worker.draining;
        return step;
    default: /* MSG_FAILED */
        return report_failed(message->step, message->status, "nursery");
    }
}

static const char *look(pid_t pid)
{
    return facts_surroundings(pid, self.owner.dialer != NULL ? FACTS_WORKER_DIALED : FACTS_WORKER);
}

static bool hand_over(struct worker *worker)
{
    struct message message;
    message_begin(&message, MSG_NETWORK);
    message.body.network = self.config->network;
    if (channel_send(&worker->channel, &message, NULL) != CHANNEL_OK)
        return false;
    for (unsigned i = 0; i < self.config->listener_count; i++) {
        message_begin(&message, MSG_LISTENER);
        message.slot = (uint16_t)i;
        message.body.address = self.config->listeners[i];
        if (channel_send(&worker->channel, &message, &self.prepared->listeners[i]) != CHANNEL_OK)
            return false;
    }
    return !reload_allowed() || instances_send(&worker->channel, INSTANCES_MOST_MS);
}

/* SIGHUP: a worker that was handed a table already gets the new one, any other finds it when its turn comes.
 */
static int reload(void)
{
    if (!self.owner.settled || self.worker.draining || !reload_turn(&self.nursery) ||
        self.worker.channel.fd < 0 || self.worker.phase == PHASE_PARENT_WORKER_START ||
        instances_send(&self.worker.channel, INSTANCES_MOST_MS))
        return 0;
    return worker_distrust(&self.worker, "it takes no instances");
}

/* The first worker serves: write the pid file, and give up every capability and most system calls. */
static int settle(struct worker *worker)
{
    const struct policy_values values = {&logsocket_device, sizeof(logsocket_device), AF_UNIX};
    if (worker->ever_served)
        return 0;
    int step = self.milestones->serving();
    if (step != 0)
        return step;
    self.owner.settled = true;
    struct agent_obstacle obstacle;
    bool forbidden = agent_forbidden(self.prepared->agent.directory, self.config->backend,
                                     &self.prepared->account, &obstacle);
    close(self.prepared->executable);
    if (self.prepared->reader > 0)
        close(self.prepared->reader);
    close(self.prepared->agent.directory);
    step = confine_parent();
    if (step != 0)
        return report_failed(step, errno, "parent");
    const char *wrong = launch_confirm(self.nursery_pid, &self.facts);
    if (wrong != NULL)
        return report_failed(STEP_FACTS, 0, wrong);
    step = self.milestones->settled();
    if (step != 0)
        return step;
    report_open(&self.config->worker);
    if (forbidden)
        report_event("event=agent-socket-forbidden path=%s by=%s uid=%u owner=%u:%u mode=%04o",
                     self.config->backend, obstacle.directory ? "its-directory" : "itself",
                     (unsigned)self.prepared->account.uid, (unsigned)obstacle.uid, (unsigned)obstacle.gid,
                     (unsigned)obstacle.mode);
    if (!filter_load(reload_allowed() ? POLICY_PARENT_RELOAD : POLICY_PARENT, &values))
        return report_failed(STEP_FILTER, errno, "parent");
    return self.milestones->confined(0);
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
        int step =
            received.message.type == MSG_EXITED ? worker_receive(&self.worker) : 0; /* its last words first */
        if (step == 0)
            step = on_nursery_message(&received.message);
        if (step != 0)
            return step;
    }
}

static int due(int64_t now)
{
    if (self.nursery_due != 0 && now >= self.nursery_due)
        return report_failed(STEP_WORKER_DIED, ETIMEDOUT, "nursery");
    return worker_due(&self.worker, now);
}

/* The listeners are closed here too: newcomers are refused at once, and a successor can take the addresses.
 */
static void drain(void)
{
    for (unsigned i = 0; i < self.config->listener_count; i++)
        close(self.prepared->listeners[i]);
    if (!worker_drain(&self.worker, MSG_DRAIN))
        self.ending = true;
}

/* Wait for the next message, signal or due time, and do what it asks. */
static int turn(void)
{
    struct pollfd polled[POLL_COUNT] = {[POLL_NURSERY] = {.fd = self.nursery.fd, .events = POLLIN},
                                        [POLL_DIALER] = {.fd = self.dialer.fd, .events = POLLIN},
                                        [POLL_WORKER] = {.fd = self.worker.channel.fd, .events = POLLIN},
                                        [POLL_RELAY] = {.fd = self.worker.log.relay, .events = POLLIN},
                                        [POLL_REPORT] = {.fd = report_waits_for(), .events = POLLOUT},
                                        [POLL_READER] = {.fd = reload_waits_for(), .events = POLLIN}};
    if (self.worker.log.waits)
        polled[POLL_RELAY] = (struct pollfd){.fd = STDERR_FILENO, .events = POLLOUT};
    sigset_t none;
    sigemptyset(&none);
    int64_t now = clock_now(), next = self.nursery_due;
    if (next == 0)
        next = worker_next_due(&self.worker);
    if (reload_due() != 0 && (next == 0 || reload_due() < next))
        next = reload_due();
    int64_t left = next > now ? next - now : 0;
    struct timespec pause = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
    int ready = ppoll(polled, POLL_COUNT, next != 0 ? &pause : NULL, &none);
    if (ready < 0 && errno != EINTR)
        return report_failed(STEP_CHANNEL, errno, "ppoll");
    if (ready > 0) /* then no signal was let in: a child that never stops talking must not keep them out */
        ppoll(NULL, 0, &(const struct timespec){0, 0}, &none);
    if (signals_wish() == WISH_DRAIN && !self.worker.draining && self.worker.phase == PHASE_PARENT_WORKER)
        drain();
    (void)report_flush();
    if (self.worker.log.relay >= 0)
        logsocket_relay(&self.worker.log);
    int step = self.dialer.fd >= 0 ? switchboard_receive(&self.dialer) : 0;
    if (step == 0)
        step = worker_receive(&self.worker);
    if (step == 0)
        step = receive_nursery();
    if (step == 0)
        step = reload();
    return step != 0 ? step : due(clock_now());
}

static int begin_dialer(void)
{
    int end;
    struct confinement confinement = prepare_confinement(self.config, self.prepared);
    self.dialer_pid = launch_dialer(&confinement, network_word(&self.config->network), &end);
    if (self.dialer_pid < 0)
        return report_failed(STEP_START_DIALER, errno, "");
    channel_begin(&self.dialer, end);
    self.owner.dialer = &self.dialer;
    return switchboard_begin(&self.dialer, &self.prepared->agent.address, &self.facts);
}

static int begin(void)
{
    int end, filters = facts_filters();
    if (filters < 0)
        return report_failed(STEP_FACTS, errno, "/proc/self/status");
    self.facts =
        (struct facts){self.prepared->account.uid, self.prepared->account.gid, (unsigned)filters + 2};
    self.owner = (struct worker_owner){.nursery = &self.nursery,
                                       .settings = &self.config->worker,
                                       .facts = &self.facts,
                                       .look = look,
                                       .hand_over = hand_over,
                                       .serving = settle};
    int step = worker_begin(&self.worker, &self.owner, WORKER_SLOT);
    if (step != 0)
        return step;
    if (!signals_hold() || (reload_allowed() && !signals_hold_reload()))
        return report_failed(STEP_CHANNEL, errno, "nursery");
    if (settings_dialed(&self.config->worker) && (step = begin_dialer()) != 0)
        return step;
    struct confinement confinement = prepare_confinement(self.config, self.prepared);
    self.nursery_pid = launch_nursery(&confinement, network_word(&self.config->network), &end);
    if (self.nursery_pid < 0)
        return report_failed(STEP_START_NURSERY, errno, "");
    channel_begin(&self.nursery, end);
    self.nursery_phase = PHASE_PARENT_NURSERY_START;
    self.nursery_due = clock_now() + START_MOST_MS;
    malloc_trim(0);
    return 0;
}

int supervise(const struct config *config, struct prepared *prepared, const struct milestones *milestones)
{
    self.config = config;
    self.prepared = prepared;
    self.milestones = milestones;
    self.dialer.fd = -1;
    int step = begin();
    while (step == 0 && !self.ending && signals_wish() != WISH_END)
        step = turn();
    if (self.worker.log.relay >= 0) { /* the last lines come by us */
        launch_end(self.nursery.fd, self.nursery_pid);
        launch_end(self.dialer.fd, self.dialer_pid);
        logsocket_relay(&self.worker.log);
    }
    return step;
}
