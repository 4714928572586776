/*
 * metawardd, the parent: from the command line to a confined, serving worker.
 *
 * Everything that needs power happens here in one line, in this order: tidy what was inherited, read the
 * command line, fetch accounts, files and sockets, go into the background, supervise. Each step that fails
 * ends the program with an exit status of its own (ipc/steps.h) and one line that says what to do.
 */
#include "ipc/config.h"
#include "ipc/frontend.h"
#include "ipc/pidfile.h"
#include "ipc/report.h"
#include "ipc/starter.h"
#include "ipc/steps.h"
#include "policy/account.h"
#include "policy/policy.h"
#include "policy/resolve.h"
#include "policy/trusted.h"
#include "priv/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct config config;
static struct prepared prepared;
static struct pidfile pidfile;

/* Nothing that we were started with goes on to a child: no descriptor, no environment, no umask. */
static int tidy(void)
{
    int null = open("/dev/null", O_RDWR);
    while (null >= 0 && null < 3)
        null = dup(null);
    if (null < 0 || close_range(3, ~0U, 0) != 0 || clearenv() != 0 || chdir("/") != 0)
        return report_failed(STEP_DESCRIPTORS, errno, "");
    umask(077);
    return 0;
}

/* The log's times are local; the worker can't ask for the zone, so it is told. */
static void tell_time_zone(void)
{
    time_t now = time(NULL);
    struct tm local;
    if (localtime_r(&now, &local) != NULL)
        config.worker.utc_offset = (int32_t)local.tm_gmtoff;
}

static int write_pid(void)
{
    char error[PIDFILE_ERROR_SIZE];
    if (config.pid_file[0] == '\0')
        return 0;
    if (pidfile_write(config.pid_file, getpid(), &pidfile, error) != 0)
        return report_failed(STEP_PID_FILE, 0, error);
    /* Without capabilities nobody but the owner of its directory can remove it. The second call asks. */
    setfsuid(pidfile.owner);
    if (setfsuid((uid_t)-1) != (int)pidfile.owner)
        return report_failed(STEP_PID_FILE, EPERM, "the user that owns its directory");
    return 0;
}

/* The worker's executable and the agent's directory; the agent's socket itself need not be there yet. */
static int open_files(void)
{
    static const char worker[] = METAWARD_LIBEXECDIR "/metaward-worker";
    char directory[SETTINGS_PATH_SIZE];
    prepared.executable = trusted_executable(worker);
    if (prepared.executable < 0)
        return report_failed(STEP_WORKER_EXECUTABLE, errno, worker);
    if (settings_dialed(&config.worker))
        return resolve_agent(&config, &prepared.agent) != 0 ? STEP_RESOLVE
                                                            : report_failed(STEP_RESOLVE, ENOSYS, "");
    memcpy(directory, config.backend, sizeof(directory));
    strrchr(directory, '/')[0] = '\0';
    prepared.backend_directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return prepared.backend_directory >= 0 ? 0 : report_failed(STEP_BACKEND_DIRECTORY, errno, directory);
}

static int prepare(void)
{
    int step = account_resolve(config.user, config.group, &prepared.account);
    if (step != 0)
        return report_failed(step, errno, prepared.account.subject);
    tell_time_zone();
    step = open_files();
    if (step == 0)
        step = prepare_listeners(&config, &prepared);
    return step;
}

static int run(void)
{
    if (policy_delta() != NULL)
        report_event("event=confinement-delta what=\"%s\"", policy_delta());
    int step = prepare();
    if (step == 0 && config.daemonize)
        step = starter_leave(frontend_status(STEP_DAEMONIZE));
    if (step == 0)
        step = supervise(&config, &prepared,
                         &(const struct milestones){write_pid, starter_leave_terminal, starter_let_go});
    if (step == 0 && starter_waits())
        step = report_failed(STEP_DAEMONIZE, 0, "told to end before guests were served");
    starter_let_go(frontend_status(step));
    int error = pidfile_remove(&pidfile);
    if (error != 0)
        report_failed(STEP_CLEANUP, error, config.pid_file);
    return step == 0 && error != 0 ? STEP_CLEANUP : step;
}

int main(int argc, char **argv)
{
    int status = tidy();
    if (status == 0 && frontend_read(argc, argv, &config, &status))
        status = geteuid() == 0 ? run() : report_failed(STEP_PRIVILEGE, EPERM, "");
    return frontend_status(status);
}
