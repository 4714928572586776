/*
 * See worker.h.
 */
#include "priv/worker.h"

#include "ipc/clock.h"
#include "ipc/report.h"
#include "ipc/steps.h"
#include "policy/switchboard.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAUSE_FIRST_MS 100 /* after the second failure in a row; doubled for each further one */
#define PAUSE_MOST_MS  5000
#define PAUSE_SHORT_MS 10    /* until the nursery has read some of what it was sent */
#define FAILURES_MOST  8     /* workers in a row that never served: give up */
#define STEADY_MS      60000 /* a worker that lived this long has proved itself */
#define MESSAGES_FIRST 16    /* of a worker; it has two to send, and then at most one a second */
#define START_MOST_MS  10000 /* a worker that is not serving by then hangs */

/* That the nursery is gone is no failure here: whoever reads its channel tells it, after its last words. */
static bool tell_nursery(const struct worker *worker, enum message_type type, const int *fds)
{
    struct message message;
    message_begin(&message, type);
    message.slot = worker->slot;
    return channel_send(worker->owner->nursery, &message, fds) == CHANNEL_OK || errno == EPIPE ||
           errno == ECONNRESET || errno == ENOTCONN;
}

/* The first of all must succeed: what makes it fail would make them all fail. */
static bool must_serve(const struct worker *worker)
{
    return !worker->ever_served && !worker->owner->lasting;
}

static bool tell(struct worker *worker, enum message_type type)
{
    struct message message;
    message_begin(&message, type);
    if (type == MSG_SETTINGS)
        message.body.settings = *worker->owner->settings;
    return channel_send(&worker->channel, &message, &worker->counters) == CHANNEL_OK;
}

int worker_begin(struct worker *worker, const struct worker_owner *owner, uint16_t slot)
{
    *worker = (struct worker){.owner = owner, .channel.fd = -1, .slot = slot, .counters = -1};
    worker->log = (struct logsocket){.target = owner->settings->log_target, .relay = -1};
    bool good = owner->log_apart || logsocket_open(owner->settings->log_target, &worker->log);
    return good ? 0 : report_failed(STEP_LOG, errno, "");
}

static void forget(struct worker *worker)
{
    if (worker->channel.fd >= 0)
        close(worker->channel.fd);
    worker->channel.fd = -1;
    worker->pid = 0;
}

/* It can't be started, or can't be ended, now: that ends the program, or is tried again. */
static int put_off(struct worker *worker, int step, const char *subject)
{
    bool crowded = errno == EAGAIN && worker->owner->lasting;
    worker->due = clock_now() + (crowded ? PAUSE_SHORT_MS : PAUSE_MOST_MS);
    step = crowded ? 0 : report_failed(step, errno, subject);
    return worker->owner->lasting ? 0 : step;
}

/* A channel of its own for each worker: nothing that an old one has sent can be taken for the new one's. */
int worker_start(struct worker *worker)
{
    int ends[2], log = logsocket_renew(&worker->log);
    if (log < 0)
        return put_off(worker, STEP_LOG, "worker");
    if (!channel_pair(ends)) {
        close(log);
        return put_off(worker, STEP_CHANNEL, "worker");
    }
    channel_begin(&worker->channel, ends[0]);
    worker->phase = PHASE_PARENT_WORKER_START;
    worker->started_at = clock_now();
    worker->due = worker->started_at + START_MOST_MS;
    bool spawned = tell_nursery(worker, MSG_SPAWN, (const int[]){ends[1], log});
    int error = errno;
    bool told =
        spawned && (worker->counters < 0 || tell(worker, MSG_COUNTERS)) && tell(worker, MSG_SETTINGS) &&
        (worker->owner->dialer == NULL || switchboard_connect(worker->owner->dialer, &worker->channel));
    close(ends[1]);
    close(log);
    if (spawned)
        return told ? 0 : worker_distrust(worker, "it takes no message");
    forget(worker);
    errno = error;
    return put_off(worker, STEP_CHANNEL, "nursery");
}

int worker_end(struct worker *worker)
{
    if (worker->channel.fd >= 0)
        close(worker->channel.fd);
    worker->channel.fd = -1;
    worker->due = 0;
    worker->unburied = !tell_nursery(worker, MSG_KILL, NULL);
    return worker->unburied ? put_off(worker, STEP_CHANNEL, "nursery") : 0;
}

int worker_distrust(struct worker *worker, const char *why)
{
    report_event("event=worker-killed pid=%d why=\"%s\"", (int)worker->pid, why);
    return worker_end(worker);
}

int worker_ended(struct worker *worker, int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    int step = code >= STEP_DESCRIPTORS && code <= STEP_DIALER_DIED ? code : STEP_WORKER_DIED;
    report_end((int)worker->pid, status);
    forget(worker);
    if (worker->draining) /* nothing is left to finish, however it ended */
        return status == 0 ? 0 : report_failed(step, 0, "worker");
    if (must_serve(worker))
        return report_failed(step, 0, "worker");
    if (worker->phase == PHASE_PARENT_WORKER && clock_now() - worker->started_at >= STEADY_MS)
        worker->failures = 0;
    if (worker->failures++ == 0)
        return worker_start(worker);
    if (worker->failures > FAILURES_MOST && worker->phase != PHASE_PARENT_WORKER && !worker->owner->lasting)
        return report_failed(step, 0, "worker");
    int64_t pause = PAUSE_FIRST_MS << (worker->failures < 8 ? worker->failures - 2 : 6);
    worker->due = clock_now() + (pause < PAUSE_MOST_MS ? pause : PAUSE_MOST_MS);
    return 0;
}

/* The worker says that it is confined. Look for ourselves before it gets its first listener. */
static int confirm(struct worker *worker, pid_t pid)
{
    worker->pid = pid;
    const char *wrong = facts_status(pid, worker->owner->facts);
    if (wrong == NULL && !worker->owner->settled)
        wrong = worker->owner->look(pid);
    if (wrong != NULL && must_serve(worker))
        return report_failed(STEP_FACTS, 0, wrong);
    if (wrong != NULL)
        return worker_distrust(worker, wrong);
    if (!worker->owner->hand_over(worker))
        return worker_distrust(worker, "it takes no listener");
    worker->phase = PHASE_PARENT_WORKER_READY;
    return tell(worker, MSG_SERVE) ? 0 : worker_distrust(worker, "it takes no message");
}

static int serving(struct worker *worker)
{
    worker->phase = PHASE_PARENT_WORKER;
    worker->due = 0;
    int step = worker->owner->serving(worker);
    worker->ever_served = true;
    if (step == 0)
        report_event("event=serving pid=%d user=%u", (int)worker->pid, (unsigned)worker->owner->facts->uid);
    return step;
}

static int obey(struct worker *worker, const struct received *received)
{
    int step;
    switch ((enum message_type)received->message.type) {
    case MSG_READY:
        return confirm(worker, received->pid);
    case MSG_SERVING:
        return serving(worker);
    case MSG_LOG_BROKEN:
        logsocket_broken(&worker->log);
        return 0;
    default: /* MSG_FAILED: its end follows as MSG_EXITED; a first worker's ends the start */
        worker->pid = received->pid;
        step = report_failed(received->message.step, received->message.status, "worker");
        return must_serve(worker) ? step : 0;
    }
}

int worker_receive(struct worker *worker)
{
    struct received received;
    while (worker->channel.fd >= 0) {
        enum channel_result result = channel_receive(&worker->channel, worker->phase, &received);
        if (result == CHANNEL_AGAIN)
            return 0;
        if (result == CHANNEL_BAD)
            return worker_distrust(worker, "a message that is not valid");
        if (result != CHANNEL_OK)
            return worker_end(worker); /* dead already, as a rule; without its channel it must not go on */
        if (received.message.sequence > MESSAGES_FIRST + (clock_now() - worker->started_at) / 1000)
            return worker_distrust(worker, "too many messages");
        int step = obey(worker, &received);
        if (step != 0)
            return step;
    }
    return 0;
}

int worker_due(struct worker *worker, int64_t now)
{
    logsocket_retry(&worker->log, now, worker->phase == PHASE_PARENT_WORKER ? &worker->channel : NULL);
    if (worker->due == 0 || now < worker->due)
        return 0;
    worker->due = 0;
    if (worker->unburied)
        return worker_end(worker);
    if (must_serve(worker) && worker->channel.fd >= 0)
        return report_failed(STEP_WORKER_DIED, ETIMEDOUT, "worker");
    return worker->channel.fd < 0 ? worker_start(worker) : worker_distrust(worker, "it does not serve");
}

int64_t worker_next_due(const struct worker *worker)
{
    int64_t log = worker->log.due;
    return log != 0 && (worker->due == 0 || log < worker->due) ? log : worker->due;
}

bool worker_drain(struct worker *worker, enum message_type how)
{
    worker->draining = true;
    return tell(worker, how);
}
