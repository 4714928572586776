/*
 * metawardd, the parent: from the command line to a confined, serving worker.
 *
 * Everything that needs power happens here in one line, in this order: tidy what was inherited, read the
 * command line, fetch accounts, files and sockets, go into the background, supervise. Each step that fails
 * ends the program with an exit status of its own (ipc/steps.h) and one line that says what to do.
 */
#include "ipc/config.h"
#include "ipc/frontend.h"
#include "ipc/inherited.h"
#include "ipc/pidfile.h"
#include "ipc/report.h"
#include "ipc/starter.h"
#include "ipc/steps.h"
#include "policy/account.h"
#include "policy/policy.h"
#include "policy/reload.h"
#include "policy/trusted.h"
#include "priv/supervise.h"

#include <errno.h>
#include <unistd.h>

static struct config config;
static struct prepared prepared;
static struct pidfile pidfile;

static int write_pid(void)
{
    char error[PIDFILE_ERROR_SIZE];
    if (config.pid_file[0] == '\0')
        return 0;
    if (pidfile_write(config.pid_file, getpid(), config.writer, &pidfile, error) != 0)
        return report_failed(STEP_PID_FILE, 0, error);
    return pidfile_own(&pidfile) ? 0
                                 : report_failed(STEP_PID_FILE, EPERM, "the user that owns its directory");
}

static int prepare(void)
{
    static const char worker[] = METAWARD_LIBEXECDIR "/metaward-worker";
    static const char reader[] = METAWARD_LIBEXECDIR "/metaward-reader";
    int step = account_resolve(config.user, config.group, &prepared.account);
    if (step != 0)
        return report_failed(step, errno, prepared.account.subject);
    config.worker.utc_offset = inherited_utc_offset();
    prepared.executable = trusted_executable(worker);
    if (prepared.executable < 0)
        return report_failed(STEP_WORKER_EXECUTABLE, errno, worker);
    if (reload_allowed() && (prepared.reader = trusted_executable(reader)) < 0)
        return report_failed(STEP_WORKER_EXECUTABLE, errno, reader);
    step = resolve_agent(&config, &prepared.agent);
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
        step = frontend_serve(&config, &prepared,
                              &(const struct milestones){write_pid, starter_leave_terminal, starter_let_go});
    if (step == 0 && starter_waits())
        step = report_failed(STEP_DAEMONIZE, 0, "told to end before guests were served");
    int error = pidfile_remove(&pidfile);
    if (error != 0)
        report_failed(STEP_CLEANUP, error, config.pid_file);
    starter_let_go(frontend_status(step));
    return step == 0 && error != 0 ? STEP_CLEANUP : step;
}

int main(int argc, char **argv)
{
    int status = inherited_drop() ? 0 : report_failed(STEP_DESCRIPTORS, errno, "");
    if (status == 0 && frontend_read(argc, argv, &config, &status))
        status = geteuid() == 0 ? run() : report_failed(STEP_PRIVILEGE, EPERM, "");
    return frontend_status(status);
}
