/*
 * See upgrade.h.
 */
#include "priv/host/upgrade.h"

#include "ipc/channel.h"
#include "ipc/clock.h"
#include "ipc/control_server.h"
#include "ipc/handover.h"
#include "ipc/loop.h"
#include "ipc/report.h"
#include "ipc/steps.h"
#include "ipc/text.h"
#include "policy/heir.h"
#include "policy/power.h"
#include "priv/host/control.h"
#include "priv/host/host.h"
#include "priv/host/networks.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MOST_MS   30000  /* for its configuration: a successor that takes longer hangs */
#define SERVING_MOST_MS 300000 /* for thousands of workers, on a busy host */
#define AT_ONCE         64     /* records, before others have their turn */

static const char no_heir[] = "the process that starts the new daemon has ended";

static void on_handover(struct watch *watch, uint32_t events);
static void on_heir(struct watch *watch, uint32_t events);
static void on_time(struct timer *timer);

static struct {
    const struct host_config *config;
    int heir;       /* -1: it is no more */
    int handover;   /* -1: none */
    bool running;   /* the successor's end was not told yet */
    uint32_t phase; /* enum handover_phase */
    uint32_t next;  /* the place of the next network to be sent */
    bool greeted;   /* the control socket was sent */
    struct watch heir_watch, handover_watch;
    struct timer timer;
    char error[NETWORKS_DETAIL_SIZE];
} self = {.heir = -1,
          .handover = -1,
          .heir_watch = {on_heir},
          .handover_watch = {on_handover},
          .timer = {.run = on_time}};

int upgrade_prepare(const char *file, const struct host_config *config)
{
    const char *launcher = power_path();
    char *const arguments[] = {"metawardd",
                               "--config",
                               (char *)(uintptr_t)file,
                               "--take-over",
                               launcher != NULL ? "--launcher" : NULL,
                               (char *)(uintptr_t)launcher,
                               NULL};
    self.config = config;
    self.heir = heir_begin(arguments);
    return self.heir >= 0 ? 0 : report_failed(STEP_SUCCESSOR, errno, "the process for it");
}

int upgrade_watch(void)
{
    return loop_watch(&self.heir_watch, self.heir, EPOLLIN) ? 0 : report_failed(STEP_CHANNEL, errno, "epoll");
}

static void close_handover(void)
{
    loop_forget(self.handover);
    close(self.handover);
    self.handover = -1;
    loop_timer(&self.timer, 0);
}

/* Go on as if nothing had been; why is kept. The successor's end, if it lives, is still to come. */
static void give_up(const char *why)
{
    if (self.error[0] == '\0')
        text_append(self.error, sizeof(self.error), 0, why);
    if (self.handover < 0)
        return;
    bool held = upgrade_hands_over();
    close_handover();
    if (held)
        control_hold(false);
    if (self.running && self.heir >= 0)
        (void)heir_stop(self.heir);
}

static void on_time(struct timer *timer)
{
    (void)timer;
    give_up("the new daemon took too long");
}

void upgrade_stop(void)
{
    give_up("the daemon is ending");
}

/* --- the heir --- */

static void describe(int status, char out[NETWORKS_DETAIL_SIZE])
{
    int step = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    size_t at = text_append(out, NETWORKS_DETAIL_SIZE, 0, "the new daemon ");
    if (WIFSIGNALED(status))
        at = text_append(out, NETWORKS_DETAIL_SIZE, at, "was killed");
    else if (step < STEP_DESCRIPTORS)
        at = text_append(out, NETWORKS_DETAIL_SIZE, at, "ended");
    else
        at = text_append(out, NETWORKS_DETAIL_SIZE, at, "cannot ");
    if (step >= STEP_DESCRIPTORS)
        text_append(out, NETWORKS_DETAIL_SIZE, at, step_what(step));
}

/* There is no successor any more. */
static void fail(const char *why)
{
    give_up(why);
    if (self.running)
        report_event("event=upgrade-failed why=\"%s\"", self.error);
    self.running = false;
}

static void on_heir(struct watch *watch, uint32_t events)
{
    char why[NETWORKS_DETAIL_SIZE];
    int status, told;
    (void)watch, (void)events;
    while ((told = heir_ended(self.heir, &status)) > 0) {
        describe(status, why);
        fail(why);
    }
    if (told == 0)
        return;
    close(self.heir);
    self.heir = -1;
    report_event("event=heir-ended");
    fail(no_heir);
}

/* --- what is sent --- */

static bool send_network(uint32_t place)
{
    const struct host_network *network = networks_at(place);
    struct handover record;
    int fds[HANDOVER_DESCRIPTORS_MAX], lease = control_lease(place);
    unsigned count = 0;
    handover_begin(&record, HANDOVER_NETWORK);
    record.state = network->state;
    record.origin = network->origin;
    record.body.spec = network->spec;
    (void)text_store(record.file, sizeof(record.file), network->file);
    for (unsigned i = 0; i < network->spec.listener_count; i++) {
        if (network->listeners[i].fd < 0)
            continue;
        record.listeners = (uint8_t)(record.listeners | 1U << i);
        fds[count++] = network->listeners[i].fd;
    }
    if (network->inode != 0) {
        record.device = network->device;
        record.inode = network->inode;
    }
    if (network->netns >= 0) {
        record.with |= HANDOVER_WITH_NETNS;
        fds[count++] = network->netns;
    }
    if (lease >= 0) {
        record.with |= HANDOVER_WITH_LEASE;
        fds[count] = lease;
    }
    return handover_send(self.handover, &record, fds) == CHANNEL_OK;
}

static bool send_word(enum handover_type type)
{
    struct handover record;
    int listener = control_listener();
    handover_begin(&record, type);
    if (type == HANDOVER_CONTROL)
        (void)text_store(record.body.path, sizeof(record.body.path), self.config->control_socket);
    return handover_send(self.handover, &record, &listener) == CHANNEL_OK;
}

/* Files that are no good are read anew, and a lease that was not answered yet is asked for anew. */
static bool is_sent(uint32_t place)
{
    const struct host_network *network = networks_at(place);
    return network->state != NETWORK_FAILED && (network->origin != ORIGIN_LEASE || control_lease(place) >= 0);
}

/* As much as there is room for. */
static bool send_some(void)
{
    for (unsigned i = 0; i < AT_ONCE; i++) {
        self.next = networks_next(self.next);
        bool last = self.next == NETWORKS_NONE;
        bool skipped = !last && !is_sent(self.next);
        if (!self.greeted) {
            if (!send_word(HANDOVER_CONTROL))
                return errno == EAGAIN;
            self.greeted = true;
        } else if (!skipped && !(last ? send_word(HANDOVER_END) : send_network(self.next))) {
            return errno == EAGAIN;
        } else if (last) {
            self.phase = HANDOVER_GIVEN;
            return loop_watch(&self.handover_watch, self.handover, EPOLLIN);
        } else {
            self.next++;
        }
    }
    return true;
}

/* --- what is heard --- */

/* It serves: from now on it is the service's main process, and nobody else comes here. */
static void succeed(pid_t pid)
{
    self.running = false;
    report_event("event=upgraded pid=%d", (int)pid);
    host_leave(pid);
    (void)send_word(HANDOVER_YOURS); /* a successor that can't be told hears the end of the connection */
    close_handover();
}

static bool hear(void)
{
    struct handover record;
    int none[HANDOVER_DESCRIPTORS_MAX];
    pid_t pid;
    enum channel_result result = handover_receive(self.handover, self.phase, &record, none, &pid);
    if (result == CHANNEL_AGAIN)
        return true;
    if (result == CHANNEL_CLOSED) /* how it ended says more, and comes at once */
        give_up("");
    if (result == CHANNEL_CLOSED)
        return true;
    if (result != CHANNEL_OK)
        return false;
    if (record.type == HANDOVER_SERVING) {
        succeed(pid);
        return true;
    }
    self.phase = HANDOVER_GIVING;
    control_hold(true);
    loop_timer(&self.timer, clock_now() + SERVING_MOST_MS);
    return loop_watch(&self.handover_watch, self.handover, EPOLLIN | EPOLLOUT);
}

static void on_handover(struct watch *watch, uint32_t events)
{
    (void)watch;
    if (self.handover < 0)
        return;
    if ((events & ~(uint32_t)EPOLLOUT) != 0 && !hear())
        give_up("the new daemon does not take over as it should");
    if (self.handover >= 0 && self.phase == HANDOVER_GIVING && !send_some())
        give_up("the new daemon can't be told what there is");
}

/* --- for the others --- */

bool upgrade_begin(const char **why)
{
    int ends[2];
    *why = self.heir < 0    ? no_heir
           : upgrade_runs() ? "an upgrade is going on"
                            : "no process or descriptor can be had for it";
    if (self.heir < 0 || upgrade_runs() || !channel_pair(ends))
        return false;
    bool told = heir_start(self.heir, ends[1]);
    close(ends[1]);
    self.handover = ends[0];
    if (!told || !loop_watch(&self.handover_watch, ends[0], EPOLLIN)) {
        close_handover();
        return false;
    }
    self.running = true;
    self.phase = HANDOVER_FIRST;
    self.next = 0;
    self.greeted = false;
    self.error[0] = '\0';
    loop_timer(&self.timer, clock_now() + READY_MOST_MS);
    report_event("event=upgrade-begun");
    return true;
}

bool upgrade_runs(void)
{
    return self.handover >= 0 || self.running;
}

bool upgrade_hands_over(void)
{
    return self.handover >= 0 && self.phase != HANDOVER_FIRST;
}

const char *upgrade_error(void)
{
    return self.error;
}
