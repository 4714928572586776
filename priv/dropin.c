/*
 * The command line of the proxy that Neutron starts, in the executable of that name. See frontend.h.
 *
 * Whoever starts it knows two outcomes: 0, and 1 with a line on stderr. The configuration is read by a
 * process without power; what the command line says of the pid file and of the background goes before what
 * the file says.
 */
#include "ipc/frontend.h"

#include "ipc/haproxy_options.h"
#include "ipc/inherited.h"
#include "ipc/instances.h"
#include "ipc/report.h"
#include "ipc/steps.h"
#include "policy/reload.h"
#include "priv/lease/enter.h"
#include "priv/reading.h"
#include "priv/supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char version[] =
    "metaward " METAWARD_VERSION ", in the place of haproxy for OpenStack's metadata\n"
    "It reads the configurations that Neutron writes, and no others.\n";

static bool say(const char *text)
{
    size_t length = strlen(text);
    return write(STDOUT_FILENO, text, length) == (ssize_t)length;
}

/* Those that this instance replaces. Their addresses are free in a moment; listener.c waits for that. */
static void tell_old(const struct haproxy_options *options)
{
    for (unsigned i = 0; i < options->old_count; i++) {
        if (kill(options->old[i], options->old_signal) != 0 && errno != ESRCH)
            report_event("event=old-not-told pid=%d error=%s", (int)options->old[i], errno_name(errno));
    }
}

static void merge(const struct haproxy_options *options, struct config *config)
{
    if (options->pid_file[0] != '\0')
        memcpy(config->pid_file, options->pid_file, sizeof(config->pid_file));
    if (options->ground != GROUND_AS_CONFIGURED)
        config->daemonize = options->ground == GROUND_BACK;
    config->takes_over = options->old_count > 0;
}

/* @return the exit status, or -1: go on */
static int read_file(const struct haproxy_options *options, struct config *config)
{
    static struct reading reading;
    int step = reading_fetch(options->file, &reading);
    if (step != 0)
        return step;
    if (!reading.ok) {
        if (reading.line == 0)
            dprintf(STDERR_FILENO, "%s: %s\n", options->file, reading.reason);
        else
            dprintf(STDERR_FILENO, "%s:%u: %s: %s\n", options->file, reading.line, reading.word,
                    reading.reason);
        return STEP_CONFIGURATION;
    }
    if (options->check)
        return options->quiet || say("Configuration file is valid\n") ? 0 : STEP_CONFIGURATION;
    if (reading.config.host_proxy)
        reload_allow(options->file, &reading.config);
    instances_commit();
    *config = reading.config;
    merge(options, config);
    return -1;
}

bool frontend_read(int argc, char **argv, struct config *config, int *status)
{
    static struct haproxy_options options;
    char error[CONFIG_ERROR_SIZE];
    switch (haproxy_options_read(argc, argv, &options, error)) {
    case HAPROXY_RUN:
        break;
    case HAPROXY_VERSION:
        *status = say(version) ? 0 : STEP_USAGE;
        return false;
    case HAPROXY_BAD:
        dprintf(STDERR_FILENO, "metaward (haproxy): %s\n", error);
        *status = STEP_USAGE;
        return false;
    }
    *status = inherited_absolute(options.file, sizeof(options.file))
                  ? read_file(&options, config)
                  : report_failed(STEP_CONFIGURATION, ENOTDIR, options.file);
    if (*status >= 0)
        return false;
    tell_old(&options);
    *status = geteuid() == 0 && !config->host_proxy ? lease_enter(config, argv) : 0;
    return *status == 0;
}

int frontend_status(int step)
{
    return step == 0 ? 0 : 1;
}

int frontend_serve(const struct config *config, struct prepared *prepared,
                   const struct milestones *milestones)
{
    return supervise(config, prepared, milestones);
}
