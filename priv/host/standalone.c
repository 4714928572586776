/*
 * metawardd's own command line. See frontend.h.
 */
#include "ipc/frontend.h"

#include "ipc/options.h"
#include "ipc/steps.h"
#include "policy/filter.h"
#include "priv/host/check.h"

#include <string.h>
#include <unistd.h>

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
        *status = host_check(host.file);
        break;
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
