/*
 * Listeners: sockets made inside a tenant's network namespace by a process that lives outside.
 */
#include "ipc/listen.h"
#include "ipc/pidfile.h"
#include "ipc/report.h"
#include "ipc/steps.h"
#include "policy/netns.h"
#include "priv/prepare.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define TRIES           30  /* for the worker of one that has just ended to end too, see supervise.h */
#define TAKE_OVER_TRIES 500 /* for another instance that was told to end to give its addresses back */
#define PAUSE_MS        10

struct work {
    const struct config *config;
    struct prepared *out;
};

/* Where the address is taken, the pid file may know by whom. */
static int refused(const struct config *config, const struct address *address)
{
    int error = errno;
    char text[ADDRESS_TEXT_SIZE], subject[ADDRESS_TEXT_SIZE + 48];
    address_format(address, text);
    pid_t holder = error == EADDRINUSE && config->pid_file[0] != '\0' ? pidfile_holder(config->pid_file) : 0;
    if (holder > 0)
        snprintf(subject, sizeof(subject), "%s, which process %d has", text, (int)holder);
    return report_failed(STEP_LISTEN, error, holder > 0 ? subject : text);
}

static int open_all(const struct config *config, struct prepared *out)
{
    for (unsigned i = 0; i < config->listener_count; i++) {
        const struct address *address = &config->listeners[i];
        unsigned tries = config->takes_over ? TAKE_OVER_TRIES : TRIES;
        out->listeners[i] = listen_socket(address);
        bool good = out->listeners[i] >= 0 && listen_at(out->listeners[i], address);
        while (!good && errno == EADDRINUSE && --tries > 0) {
            poll(NULL, 0, PAUSE_MS);
            good = listen_at(out->listeners[i], address);
        }
        if (!good)
            return refused(config, address);
    }
    return 0;
}

static int open_inside(void *context)
{
    const struct work *work = context;
    return open_all(work->config, work->out);
}

int prepare_listeners(const struct config *config, struct prepared *out)
{
    char path[CONFIG_PATH_SIZE + sizeof("/run/netns/")];
    int step;
    if (config->netns[0] == '\0')
        return open_all(config, out);
    snprintf(path, sizeof(path), "%s%s", config->netns[0] == '/' ? "" : "/run/netns/", config->netns);
    int home = netns_open("/proc/self/ns/net");
    int inside = netns_open(path);
    if (home < 0 || inside < 0)
        return report_failed(STEP_NETNS_OPEN, errno, path);
    if (!netns_inside(home, inside, open_inside, &(struct work){config, out}, &step))
        return report_failed(STEP_NETNS_ENTER, errno, path);
    close(home);
    close(inside);
    return step;
}
