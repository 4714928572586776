/*
 * See control.h.
 *
 * Requests come here checked by the table of ipc/control.c. What is left to judge is what only the daemon
 * knows: a member of the control group names namespaces below /run/netns only, or hands them over, for by a
 * path the daemon would enter whatever root can; and what came from a file or a lease is removed there.
 */
#include "priv/host/control.h"

#include "ipc/clock.h"
#include "ipc/control_server.h"
#include "ipc/loop.h"
#include "ipc/report.h"
#include "ipc/steps.h"
#include "ipc/text.h"
#include "policy/account.h"
#include "policy/netns.h"
#include "policy/power.h"
#include "priv/host/host.h"
#include "priv/host/load.h"
#include "priv/host/namespaces.h"
#include "priv/host/networks.h"
#include "priv/host/upgrade.h"
#include "priv/host/workers.h"
#include "priv/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct held {
    struct watch watch;
    int fd; /* the lease's connection, plus one; 0: none */
};

static struct held leases[NETWORKS_MAX]; /* by the network's place */
static int64_t begun_at;
static pid_t own_pid;

static uint8_t phase(void)
{
    if (upgrade_hands_over())
        return CONTROL_UPGRADING;
    return host_draining() ? CONTROL_ENDING : CONTROL_SERVING;
}

static enum control_code turn_away(int netns, enum control_code code, const char *reason, const char **why)
{
    if (netns >= 0)
        close(netns);
    *why = reason;
    return code;
}

/* A descriptor keeps its namespace: where there is a name for it, that is held by the name alone. */
static enum control_code add(const struct network_spec *spec, int netns, enum network_origin origin,
                             uint8_t peer, const char **why)
{
    if (peer != CONTROL_BY_ROOT && spec->netns[0] == '/')
        return turn_away(netns, CONTROL_DENIED, "only root names a namespace by its path", why);
    if (netns >= 0 && !netns_is(netns))
        return turn_away(netns, CONTROL_REFUSED, "what was handed over is no network namespace", why);
    if (netns >= 0 && spec->netns[0] != '\0' && namespaces_named(spec->netns, netns)) {
        close(netns);
        netns = -1;
    }
    return networks_add(spec, netns, origin, NULL, why) != NETWORKS_NONE ? CONTROL_FINE : CONTROL_REFUSED;
}

/* A lease is granted to one process at a time, and only where guests are served from now on: whoever asks
 * takes the answer for that. */
static enum control_code grant(const struct network_spec *spec, int netns, uint8_t peer, const char **why)
{
    uint32_t place = networks_find(spec->network.uuid);
    if (place != NETWORKS_NONE && leases[place].fd != 0)
        return turn_away(netns, CONTROL_REFUSED, "another process holds its lease", why);
    enum control_code code = add(spec, netns, ORIGIN_LEASE, peer, why);
    if (code != CONTROL_FINE)
        return code;
    const struct host_network *network = networks_at(networks_find(spec->network.uuid));
    if (network->state == NETWORK_SERVING)
        return CONTROL_FINE;
    *why = network->why != NULL ? network->why : "it can't be served now";
    networks_remove(spec->network.uuid);
    return CONTROL_REFUSED;
}

static enum control_code act_on(const struct control_request *request, const char **why)
{
    uint32_t place = networks_find(request->body.uuid);
    if (place == NETWORKS_NONE) {
        *why = "there is no such network";
        return CONTROL_UNKNOWN;
    }
    if (request->type == CONTROL_DRAIN)
        networks_drain(request->body.uuid);
    if (request->type != CONTROL_REMOVE)
        return CONTROL_FINE;
    switch ((enum network_origin)networks_at(place)->origin) {
    case ORIGIN_FILE:
        *why = "it comes from a file, and goes with that";
        return CONTROL_REFUSED;
    case ORIGIN_LEASE:
        *why = "it is held by a lease: end the process that holds it";
        return CONTROL_REFUSED;
    default:
        networks_remove(request->body.uuid);
        return CONTROL_FINE;
    }
}

static enum control_code meet(const struct control_request *request, int netns, uint8_t peer,
                              const char **why)
{
    switch ((enum control_request_type)request->type) {
    case CONTROL_ADD:
        return add(&request->body.spec, netns, ORIGIN_CONTROL, peer, why);
    case CONTROL_LEASE:
        return grant(&request->body.spec, netns, peer, why);
    case CONTROL_DRAIN:
        if (request->body.uuid[0] != '\0')
            return act_on(request, why);
        host_drain();
        return CONTROL_FINE;
    case CONTROL_REMOVE:
    case CONTROL_SHOW:
        return act_on(request, why);
    case CONTROL_RELOAD:
        *why = "it has not started yet";
        return host_reload() ? CONTROL_FINE : CONTROL_NOT_NOW;
    case CONTROL_UPGRADE:
        return host_upgrade(why) ? CONTROL_FINE : CONTROL_NOT_NOW;
    default:
        return CONTROL_FINE;
    }
}

static void describe(const struct host_network *network, struct control_reply *reply)
{
    struct control_network *row = &reply->body.network;
    reply->type = CONTROL_NETWORK;
    row->spec = network->spec;
    row->state = network->state;
    row->origin = network->origin;
    row->worker = network->worker;
    row->age_ms = (uint64_t)(clock_now() - network->since);
    (void)text_store(row->file, sizeof(row->file), network->file);
    size_t at = text_append(row->error, sizeof(row->error), 0, network->detail);
    if (network->state == NETWORK_WAITING && network->why != NULL && at == 0) {
        at = text_append(row->error, sizeof(row->error), at, network->why);
        if (network->error != 0) {
            at = text_append(row->error, sizeof(row->error), at, ": ");
            text_append(row->error, sizeof(row->error), at, errno_name(network->error));
        }
    }
}

/* @return false where nothing is counted for the network */
static bool count(const struct host_network *network, struct control_reply *reply)
{
    const struct worker *worker = workers_at(network->worker);
    reply->type = CONTROL_COUNTERS;
    if (worker != NULL && worker->counters >= 0 &&
        counters_read(worker->counters, networks_told_as(network), &reply->body.counters) &&
        memcmp(reply->body.counters.uuid, network->spec.network.uuid, NETWORK_UUID_SIZE) == 0)
        return true;
    memset(&reply->body, 0, sizeof(reply->body));
    memcpy(reply->body.counters.uuid, network->spec.network.uuid, NETWORK_UUID_SIZE);
    return false;
}

static bool next_network(uint16_t type, uint32_t *cursor, struct control_reply *reply)
{
    for (uint32_t place = *cursor; (place = networks_next(place)) != NETWORKS_NONE; place++) {
        *cursor = place + 1;
        if (type == CONTROL_LIST) {
            describe(networks_at(place), reply);
            return true;
        }
        if (networks_at(place)->spec.listener_count != 0 && count(networks_at(place), reply))
            return true;
    }
    *cursor = NETWORKS_NONE;
    return false;
}

static bool show(const struct control_request *request, uint32_t cursor, struct control_reply *reply)
{
    uint32_t place = networks_find(request->body.uuid);
    if (cursor > 1 || place == NETWORKS_NONE)
        return false;
    if (cursor == 0)
        describe(networks_at(place), reply);
    else
        (void)count(networks_at(place), reply);
    return true;
}

static void describe_daemon(struct control_reply *reply)
{
    struct control_daemon *row = &reply->body.daemon;
    reply->type = CONTROL_DAEMON;
    (void)text_store(row->version, sizeof(row->version), METAWARD_VERSION);
    row->pid = (uint32_t)own_pid;
    for (unsigned i = 0; i < NETWORK_STATE_COUNT; i++)
        row->networks[i] = networks_count((enum network_state)i);
    row->loads = load_count();
    row->age_ms = (uint64_t)(clock_now() - begun_at);
    row->draining = host_draining();
    row->reloading = load_runs();
    row->upgrading = upgrade_runs();
    text_append(row->error, sizeof(row->error), 0, load_error());
    text_append(row->upgrade_error, sizeof(row->upgrade_error), 0, upgrade_error());
}

/* The daemon first, then the workers: at cursor n that of slot n - 1. */
static bool health(uint32_t *cursor, struct control_reply *reply)
{
    if (*cursor == 0) {
        describe_daemon(reply);
        *cursor = 1;
        return true;
    }
    for (uint32_t slot = *cursor - 1; slot < MESSAGE_SLOTS; slot++) {
        const struct worker *worker = workers_at(slot);
        if (worker == NULL)
            continue;
        reply->type = CONTROL_WORKER;
        reply->body.worker = (struct control_worker){.slot = slot,
                                                     .pid = (uint32_t)worker->pid,
                                                     .networks = workers_load(slot),
                                                     .failures = worker->failures,
                                                     .age_ms = (uint64_t)(clock_now() - worker->started_at),
                                                     .serving = worker->phase == PHASE_PARENT_WORKER &&
                                                                worker->channel.fd >= 0};
        *cursor = slot + 2;
        return true;
    }
    return false;
}

static bool record(const struct control_request *request, uint32_t *cursor, struct control_reply *reply)
{
    switch ((enum control_request_type)request->type) {
    case CONTROL_LIST:
    case CONTROL_STATS:
        return next_network(request->type, cursor, reply);
    case CONTROL_SHOW:
        return show(request, (*cursor)++, reply);
    case CONTROL_HEALTH:
        return health(cursor, reply);
    default:
        return false;
    }
}

/* A lease has nothing to say: whatever comes is its end. */
static void on_lease(struct watch *watch, uint32_t events)
{
    struct held *held = (void *)watch;
    (void)events;
    if (held->fd == 0)
        return;
    const struct host_network *network = networks_at((uint32_t)(held - leases));
    loop_forget(held->fd - 1); /* at an upgrade another daemon has the same open file */
    close(held->fd - 1);
    held->fd = 0;
    if (network == NULL || network->origin != ORIGIN_LEASE)
        return;
    char uuid[NETWORK_UUID_SIZE];
    memcpy(uuid, network->spec.network.uuid, sizeof(uuid));
    networks_remove(uuid);
}

void control_keep(uint32_t place, int fd)
{
    leases[place] = (struct held){{on_lease}, fd + 1};
    if (!loop_watch(&leases[place].watch, fd, EPOLLIN | EPOLLRDHUP))
        host_unwatched();
}

int control_lease(uint32_t place)
{
    return leases[place].fd - 1;
}

static void keep(const struct control_request *request, int fd)
{
    uint32_t place = networks_find(request->body.spec.network.uuid);
    if (place == NETWORKS_NONE || leases[place].fd != 0) /* somebody else was faster to hear of it */
        close(fd);
    else
        control_keep(place, fd);
}

/* @param given to be served in place of a new one; -1: none */
static int serve(const struct host_config *config, int given)
{
    static const struct control_owner owner = {phase, meet, record, keep};
    gid_t group = CONTROL_NO_GROUP;
    begun_at = clock_now();
    own_pid = getpid();
    if (config->control_group[0] != '\0' && !account_group(config->control_group, &group))
        return report_failed(STEP_GROUP, errno, config->control_group);
    int fd = given < 0 ? control_listen(config->control_socket) : given;
    if (fd < 0 || !power_entitle(config->control_socket, group) || !control_serve(fd, group, &owner))
        return report_failed(STEP_CONTROL, errno, config->control_socket);
    return 0;
}

int control_begin(const struct host_config *config)
{
    return serve(config, -1);
}

int control_take(const struct host_config *config, const char *path, int given)
{
    bool same = strcmp(path, config->control_socket) == 0;
    if (!same)
        close(given);
    int step = serve(config, same ? given : -1);
    if (step == 0)
        control_hold(true);
    return step;
}
