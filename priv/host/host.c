/*
 * See host.h.
 */
#include "priv/host/host.h"

#include "ipc/clock.h"
#include "ipc/control_server.h"
#include "ipc/logsocket.h"
#include "ipc/loop.h"
#include "ipc/notify.h"
#include "ipc/report.h"
#include "ipc/signals.h"
#include "ipc/steps.h"
#include "policy/filter.h"
#include "policy/launch.h"
#include "policy/power.h"
#include "priv/host/control.h"
#include "priv/host/load.h"
#include "priv/host/namespaces.h"
#include "priv/host/networks.h"
#include "priv/host/takeover.h"
#include "priv/host/upgrade.h"
#include "priv/host/workers.h"

#include <errno.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_MOST_MS 10000 /* a nursery that is not ready by then hangs */
#define FLUSH_MS      20    /* until lines that the log had no room for are tried again */

static void on_nursery(struct watch *watch, uint32_t events);
static void on_hang(struct timer *timer);
static void on_watchdog(struct timer *timer);
static void on_flush(struct timer *timer);

static struct {
    const struct host_config *config;
    struct prepared *prepared;
    const struct milestones *milestones;
    struct facts facts;
    struct channel nursery;
    pid_t nursery_pid; /* 0: none */
    uint32_t nursery_phase;
    struct watch nursery_watch;
    struct timer hang, watchdog, flush;
    int status;
    bool settled, ready, ending, draining;
} self = {.nursery_watch = {on_nursery},
          .hang = {.run = on_hang},
          .watchdog = {.run = on_watchdog},
          .flush = {.run = on_flush}};

void host_end(int step)
{
    if (!self.ending)
        self.status = step;
    self.ending = true;
}

void host_unwatched(void)
{
    host_end(report_failed(STEP_CHANNEL, errno, "epoll"));
}

static void on_hang(struct timer *timer)
{
    (void)timer;
    host_end(report_failed(STEP_WORKER_DIED, ETIMEDOUT, "nursery"));
}

static void on_watchdog(struct timer *timer)
{
    notify_tell("WATCHDOG=1");
    loop_timer(timer, clock_now() + notify_watchdog_ms());
}

static void on_flush(struct timer *timer)
{
    if (!report_flush())
        loop_timer(timer, clock_now() + FLUSH_MS);
}

static int on_nursery_message(const struct message *message)
{
    switch ((enum message_type)message->type) {
    case MSG_NURSERY_READY:
        self.nursery_phase = PHASE_PARENT_NURSERY;
        loop_timer(&self.hang, 0);
        workers_start();
        return 0;
    case MSG_EXITED:
        if (message->slot == LOAD_SLOT)
            return load_reader_ended(0);
        return workers_ended(message->slot, message->status);
    default: /* MSG_FAILED: it is not ready, or it could not start a worker or a reader */
        if (message->slot == LOAD_SLOT)
            return load_reader_ended(message->status);
        report_failed(message->step, message->status, "nursery");
        return self.nursery_phase == PHASE_PARENT_NURSERY ? workers_ended(message->slot, message->step << 8)
                                                          : message->step;
    }
}

static void on_nursery(struct watch *watch, uint32_t events)
{
    struct received received;
    (void)watch, (void)events;
    while (!self.ending) {
        enum channel_result result = channel_receive(&self.nursery, self.nursery_phase, &received);
        if (result == CHANNEL_AGAIN)
            return;
        int step = result == CHANNEL_OK
                       ? on_nursery_message(&received.message)
                       : report_failed(result == CHANNEL_CLOSED && power_lost() ? STEP_LAUNCHER_DIED
                                                                                : STEP_NURSERY_DIED,
                                       0, "");
        if (step != 0)
            host_end(step);
    }
}

/* The first worker serves: give up every power but the two that networks need, and most system calls. */
static int settle(void)
{
    const struct policy_values values = {&logsocket_device, sizeof(logsocket_device), AF_UNIX};
    int step = self.milestones->serving();
    if (step != 0)
        return step;
    close(self.prepared->executable);
    close(self.prepared->reader);
    close(self.prepared->agent.directory);
    step = power_settle();
    if (step != 0)
        return step;
    const char *wrong = launch_confirm(self.nursery_pid, &self.facts);
    if (wrong != NULL)
        return report_failed(STEP_FACTS, 0, wrong);
    step = self.milestones->settled();
    if (step != 0)
        return step;
    report_open(&self.config->common.worker);
    if (!filter_load(POLICY_HOST, &values))
        return report_failed(STEP_FILTER, errno, "parent");
    return self.milestones->confined(0);
}

void host_drain(void)
{
    if (self.draining)
        return;
    upgrade_stop();
    self.draining = true;
    notify_tell("STOPPING=1");
    networks_close_listeners();
    workers_drain(false);
}

void host_leave(pid_t pid)
{
    self.draining = true;
    notify_successor(pid);
    control_leave();
    networks_close_listeners();
    workers_drain(true);
}

bool host_draining(void)
{
    return self.draining;
}

/* Each network may have all its listeners and a namespace or a lease; each worker a channel and its log. */
static rlim_t descriptors(void)
{
    const rlim_t own = 1024, of_network = SPEC_LISTENERS_MAX + 2, of_worker = 4;
    const struct host_config *config = self.config;
    rlim_t workers = config->isolation == ISOLATION_NETWORK ? config->max_networks : config->workers;
    return own + of_network * config->max_networks + of_worker * workers;
}

static int begin_nursery(void)
{
    const struct host_config *config = self.config;
    struct confinement confinement = prepare_confinement(&config->common, self.prepared);
    struct nursery nursery;
    int step = power_nursery(&confinement, config->common.backend, config->common.worker.log_tag, &nursery);
    if (step != 0)
        return step;
    self.facts = (struct facts){confinement.uid, confinement.gid, nursery.filters + 2};
    self.nursery_pid = nursery.pid;
    channel_begin(&self.nursery, nursery.channel);
    self.nursery_phase = PHASE_PARENT_NURSERY_START;
    if (!loop_watch(&self.nursery_watch, nursery.channel, EPOLLIN))
        return report_failed(STEP_CHANNEL, errno, "nursery");
    loop_timer(&self.hang, clock_now() + START_MOST_MS);
    return 0;
}

/* The nursery first: while the files are read it gets ready, and it inherits no listener. */
static int begin(const char *file)
{
    const struct host_config *config = self.config;
    if (settings_dialed(&config->common.worker)) /* a dialer has a line to one worker */
        return report_failed(STEP_CONFIGURATION, ENOTSUP, "metadata_address in a host's file");
    int step = upgrade_prepare(file, config);
    if (step != 0)
        return step;
    rlim_t wanted = descriptors(), most = confine_raise(RLIMIT_NOFILE, wanted);
    if (most < wanted)
        report_event("event=few-descriptors limit=%llu wanted=%llu", (unsigned long long)most,
                     (unsigned long long)wanted);
    if (!signals_hold() || !signals_hold_reload() || !signals_hold_upgrade() || !loop_begin())
        return report_failed(STEP_CHANNEL, errno, "epoll");
    struct logsocket log;
    if (!logsocket_open(config->common.worker.log_target, &log))
        return report_failed(STEP_LOG, errno, "");
    if (!notify_open())
        report_event("event=notify-absent error=%s", errno_name(errno));
    networks_begin(config->max_networks, config->isolation == ISOLATION_NETWORK);
    workers_begin(config, &self.nursery, &self.facts, settle);
    step = upgrade_watch();
    if (step == 0)
        step = namespaces_begin();
    if (step == 0)
        step = begin_nursery();
    if (step == 0)
        step = takeover_runs() ? takeover_receive(config) : control_begin(config);
    if (step == 0)
        step = load_first(file, config);
    malloc_trim(0);
    return step;
}

bool host_reload(void)
{
    bool now = self.ready && !self.draining && !upgrade_runs();
    if (now)
        load_again(&self.nursery);
    return now;
}

bool host_upgrade(const char **why)
{
    *why = load_runs() ? "a reload is going on" : "it has not started yet, or is ending";
    return self.ready && !self.draining && !load_runs() && upgrade_begin(why);
}

/* By signal: nobody hears why not. */
static void upgrade(void)
{
    const char *why;
    if (!host_upgrade(&why))
        report_event("event=upgrade-failed why=\"%s\"", why);
}

/* The manager hears nothing of us before it knows that the service is ours. */
static void tell_ready(void)
{
    self.ready = true;
    control_hold(false);
    notify_tell("READY=1");
    if (notify_watchdog_ms() != 0)
        on_watchdog(&self.watchdog);
    report_event("event=ready serving=%u waiting=%u failed=%u", networks_count(NETWORK_SERVING),
                 networks_count(NETWORK_WAITING), networks_count(NETWORK_FAILED));
}

void host_taken_over(void)
{
    tell_ready();
}

/* All workers serve, each network was tried once. */
static void on_settled(void)
{
    self.settled = true;
    if (takeover_runs())
        takeover_serving();
    else
        tell_ready();
}

int host_supervise(const char *file, const struct host_config *config, struct prepared *prepared,
                   const struct milestones *milestones)
{
    self.config = config;
    self.prepared = prepared;
    self.milestones = milestones;
    int step = begin(file);
    if (step != 0)
        host_end(step);
    while (!self.ending && signals_wish() != WISH_END && (!self.draining || workers_any())) {
        if (!loop_turn())
            host_unwatched();
        if (signals_wish() == WISH_DRAIN)
            host_drain();
        if (!upgrade_runs() && signals_reload())
            (void)host_reload();
        if (signals_upgrade())
            upgrade();
        if (!self.settled && workers_settled())
            on_settled();
        on_flush(&self.flush);
    }
    notify_tell("STOPPING=1");
    power_end(self.nursery.fd, self.nursery_pid);
    return self.status;
}
