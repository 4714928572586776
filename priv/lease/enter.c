/*
 * See enter.h.
 */
#include "priv/lease/enter.h"

#include "ipc/clock.h"
#include "ipc/lease.h"
#include "ipc/report.h"
#include "ipc/starter.h"
#include "ipc/steps.h"
#include "policy/become.h"
#include "policy/descriptors.h"
#include "policy/netns.h"
#include "policy/trusted.h"

#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#define ANSWER_MOST_MS     10000
#define AGAIN_MOST_MS      300 /* an old holder has ended, and the daemon has not heard of it yet */
#define UPGRADES_MOST      3   /* of the daemon, while we ask */
#define TAKE_OVER_MOST_MS  5000
#define TAKE_OVER_PAUSE_MS 10

static const char holder[] = METAWARD_LIBEXECDIR "/lease/haproxy";
static struct lease lease;

/* @return 0, or the step that failed, reported */
static int ask(int *fd, int netns, bool takes_over)
{
    struct control_reply reply = {.type = CONTROL_REPLY_NONE};
    int upgraded = 0;
    int64_t until = clock_now() + (takes_over ? TAKE_OVER_MOST_MS : AGAIN_MOST_MS);
    for (;;) {
        enum channel_result result = lease_ask(*fd, &lease.spec, netns);
        if (result == CHANNEL_OK)
            result = lease_answer(*fd, ANSWER_MOST_MS, &reply);
        if ((result == CHANNEL_CLOSED || (result == CHANNEL_OK && reply.code == CONTROL_LATER)) &&
            upgraded++ < UPGRADES_MOST) {
            close(*fd);
            if ((*fd = lease_connect()) >= 0)
                continue;
        }
        if (result != CHANNEL_OK)
            return report_failed(STEP_LEASE, result == CHANNEL_AGAIN ? ETIMEDOUT : errno, "no answer");
        if (reply.type == CONTROL_OK)
            return 0;
        if (clock_now() >= until)
            return report_failed(STEP_LEASE, 0,
                                 reply.type == CONTROL_ERROR ? reply.body.reason : "a strange answer");
        poll(NULL, 0, TAKE_OVER_PAUSE_MS);
    }
}

static int write_pid(const struct config *config)
{
    char error[PIDFILE_ERROR_SIZE];
    if (config->pid_file[0] == '\0')
        return 0;
    if (pidfile_write(config->pid_file, getpid(), config->writer, &lease.pidfile, error) != 0)
        return report_failed(STEP_PID_FILE, 0, error);
    return pidfile_own(&lease.pidfile)
               ? 0
               : report_failed(STEP_PID_FILE, EPERM, "the user that owns its directory");
}

/* Leave the holder what it needs, and become it. Returns only where that failed. */
static int become_holder(int executable, char *const *arguments, int control, int netns)
{
    int lock = lease.pidfile.name[0] != '\0' ? lease.pidfile.file : -1;
    lease.pidfile.file = LEASE_PIDFILE_FD;
    lease.starter_waits = starter_waits();
    int record = memfd_create("lease", MFD_CLOEXEC);
    if (record < 0 || write(record, &lease, sizeof(lease)) != (ssize_t)sizeof(lease) ||
        lseek(record, 0, SEEK_SET) != 0)
        return report_failed(STEP_LEASE, errno, "the record of it");
    int step = starter_leave_terminal();
    if (step != 0)
        return step;
    const int fds[] = {control, netns, record, starter_descriptor(), lock};
    step = become(executable, arguments, lease.pidfile.owner, fds, LEASE_CONTROL_FD,
                  sizeof(fds) / sizeof(fds[0]));
    int failure = errno;
    starter_moved(LEASE_STARTER_FD);
    return report_failed(step, failure, holder);
}

/* The process that stays: its pid file, its descriptors, its end as this program. */
static int settle(const struct config *config, char *const *arguments, int control, int netns)
{
    int executable = trusted_executable(holder);
    if (executable < 0)
        return report_failed(STEP_WORKER_EXECUTABLE, errno, holder);
    int step = write_pid(config);
    if (step == 0)
        step = become_holder(executable, arguments, control, netns);
    int error = pidfile_remove(&lease.pidfile);
    if (error != 0)
        report_failed(STEP_CLEANUP, error, config->pid_file);
    return step;
}

int lease_enter(const struct config *config, char *const *arguments)
{
    if (!lease_describe(config, &lease.spec))
        return 0;
    int control = lease_connect();
    if (control < 0) {
        if (errno != ENOENT && errno != ECONNREFUSED)
            report_event("event=daemon-ignored socket=%s error=%s", CONTROL_DEFAULT_PATH, errno_name(errno));
        return 0;
    }
    int netns = netns_open("/proc/self/ns/net");
    if (netns < 0)
        return report_failed(STEP_NETNS_OPEN, errno, "/proc/self/ns/net");
    int step = ask(&control, netns, config->takes_over);
    if (step == 0 && config->daemonize)
        step = starter_leave(1);
    if (step == 0)
        step = settle(config, arguments, control, netns);
    starter_let_go(1);
    return step;
}
