/*
 * See takeover.h.
 */
#include "priv/host/takeover.h"

#include "ipc/clock.h"
#include "ipc/handover.h"
#include "ipc/listen.h"
#include "ipc/loop.h"
#include "ipc/report.h"
#include "ipc/steps.h"
#include "priv/host/control.h"
#include "priv/host/host.h"
#include "priv/host/networks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#define RECORD_MOST_MS 10000 /* for one record */

static void on_handover(struct watch *watch, uint32_t events);

static int handover = -1;
static struct watch handover_watch = {on_handover};

static int fail(const char *why)
{
    return report_failed(STEP_TAKE_OVER, 0, why);
}

int takeover_claim(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    handover = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    if (null < 0 || handover < 0 || dup2(null, STDIN_FILENO) < 0 || close(null) != 0)
        return report_failed(STEP_TAKE_OVER, errno, "standard input");
    /* Executed by a descriptor, the kernel has named the process by its number. */
    return prctl(PR_SET_NAME, "metawardd", 0, 0, 0) == 0 ? 0 : report_failed(STEP_TAKE_OVER, errno, "");
}

bool takeover_runs(void)
{
    return handover >= 0;
}

static enum channel_result next(uint32_t phase, struct handover *record, int *fds)
{
    enum channel_result result;
    while ((result = handover_receive(handover, phase, record, fds, NULL)) == CHANNEL_AGAIN) {
        struct pollfd polled = {.fd = handover, .events = POLLIN};
        int ready = poll(&polled, 1, RECORD_MOST_MS);
        if (ready == 0 || (ready < 0 && errno != EINTR))
            return CHANNEL_ERROR;
    }
    return result;
}

static void refuse(const struct handover *record, const int *fds)
{
    for (unsigned i = 0; i < handover_descriptors(record); i++)
        close(fds[i]);
}

static bool are_listeners(const struct handover *record, const int *fds)
{
    for (unsigned i = 0; i < record->body.spec.listener_count; i++) {
        if ((record->listeners & 1U << i) != 0 && !listen_is(*fds++, &record->body.spec.listeners[i]))
            return false;
    }
    return true;
}

/* One for which there is no room in our configuration is left to end with the other daemon. */
static bool take(const struct handover *record, const int *fds)
{
    if (!are_listeners(record, fds)) {
        refuse(record, fds);
        return false;
    }
    uint32_t place = networks_adopt(record, fds);
    if (place == NETWORKS_NONE) {
        report_event("event=network-not-taken network=%s", record->body.spec.network.uuid);
        refuse(record, fds);
    } else if ((record->with & HANDOVER_WITH_LEASE) != 0) {
        control_keep(place, fds[handover_descriptors(record) - 1]);
    }
    return true;
}

int takeover_receive(const struct host_config *config)
{
    struct handover record;
    int fds[HANDOVER_DESCRIPTORS_MAX];
    handover_begin(&record, HANDOVER_READY);
    if (handover_send(handover, &record, NULL) != CHANNEL_OK ||
        next(HANDOVER_BEGUN, &record, fds) != CHANNEL_OK)
        return fail("it does not hand over");
    int step = control_take(config, record.body.path, fds[0]);
    while (step == 0) {
        if (next(HANDOVER_TAKING, &record, fds) != CHANNEL_OK)
            return fail("it does not hand over all");
        if (record.type == HANDOVER_END)
            return 0;
        if (!take(&record, fds))
            return fail("what it hands over is no listener");
    }
    return step;
}

static void on_handover(struct watch *watch, uint32_t events)
{
    struct handover record;
    int fds[HANDOVER_DESCRIPTORS_MAX];
    (void)watch, (void)events;
    if (handover < 0)
        return;
    enum channel_result result = handover_receive(handover, HANDOVER_TAKEN, &record, fds, NULL);
    if (result == CHANNEL_AGAIN)
        return;
    close(handover);
    handover = -1;
    if (result == CHANNEL_OK)
        host_taken_over();
    else
        host_end(fail("it goes on by itself"));
}

void takeover_serving(void)
{
    struct handover record;
    handover_begin(&record, HANDOVER_SERVING);
    if (handover_send(handover, &record, NULL) != CHANNEL_OK)
        host_end(fail("it is no more, or has given up"));
    else if (!loop_watch(&handover_watch, handover, EPOLLIN))
        host_unwatched();
}
