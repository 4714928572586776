/*
 * metawardd's own command line. See frontend.h.
 */
#include "ipc/frontend.h"

#include "ipc/options.h"
#include "ipc/report.h"
#include "ipc/steps.h"
#include "policy/filter.h"
#include "policy/host_load.h"
#include "policy/power.h"
#include "policy/trusted.h"
#include "priv/host/check.h"
#include "priv/host/host.h"
#include "priv/host/takeover.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct host_config host_config; /* max_networks 0: none was asked for */
static const char *host_file;

static int print(const char *text)
{
    size_t length = strlen(text);
    return write(STDOUT_FILENO, text, length) == (ssize_t)length ? 0 : 1;
}

bool frontend_read(int argc, char **argv, struct config *config, int *status)
{
    struct options_host host;
    *status = 0;
    switch (options_read(argc, argv, config, &host)) {
    case OPTIONS_RUN:
        return true;
    case OPTIONS_HOST:
        if (host.take_over && (*status = takeover_claim()) != 0)
            return false;
        if (host.launcher != NULL && (*status = power_use(host.launcher)) != 0)
            return false;
        *status = host.check ? host_check(host.file) : host_config_load(host.file, &host_config);
        *config = host_config.common;
        host_file = host.file;
        return !host.check && *status == 0;
    case OPTIONS_POLICY:
        *status = print(filter_text);
        break;
    case OPTIONS_POLICY_JSON:
        *status = print(filter_json);
        break;
    case OPTIONS_DONE:
        break;
    case OPTIONS_BAD:
        *status = STEP_USAGE;
        break;
    }
    return false;
}

int frontend_status(int step)
{
    return step;
}

int frontend_serve(const struct config *config, struct prepared *prepared,
                   const struct milestones *milestones)
{
    if (host_config.max_networks == 0)
        return supervise(config, prepared, milestones);
    static const char reader[] = METAWARD_LIBEXECDIR "/metaward-reader";
    prepared->reader = trusted_executable(reader);
    if (prepared->reader < 0)
        return report_failed(STEP_WORKER_EXECUTABLE, errno, reader);
    host_config.common = *config; /* what was found out since the file was read: addresses, time zone */
    return host_supervise(host_file, &host_config, prepared, milestones);
}
