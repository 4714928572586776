/*
 * Filling in a host's configuration, and not believing one. See host_config.h.
 *
 * host_config_valid() makes the configuration once more from what a file can set, and compares, as reading.c
 * does: a member that nobody thought of here can't be set by a reader at all.
 */
#include "ipc/host_config.h"

#include "ipc/text.h"

#include <string.h>

#define DEFAULT_CONTROL_SOCKET "/run/metaward/control"
#define DEFAULT_NETWORKS       "/etc/metaward/networks.d"
#define DEFAULT_WORKERS        2
#define DEFAULT_MAX_NETWORKS   4096
#define WORKER_LISTENERS_MOST  16384U /* as settings.h has it for max_listeners */

/* No padding: two configurations are compared byte by byte. */
_Static_assert(sizeof(struct host_config) == sizeof(struct config) + sizeof(struct network_defaults) + 8 +
                                                 2 * sizeof(uint32_t) + SETTINGS_PATH_SIZE +
                                                 CONFIG_NAME_SIZE + CONFIG_PATH_SIZE,
               "a host's configuration has no padding");

void host_config_default(struct host_config *host)
{
    memset(host, 0, sizeof(*host));
    config_default(&host->common);
    host->workers = DEFAULT_WORKERS;
    host->max_networks = DEFAULT_MAX_NETWORKS;
    text_store(host->control_socket, sizeof(host->control_socket), DEFAULT_CONTROL_SOCKET);
    text_store(host->networks_directory, sizeof(host->networks_directory), DEFAULT_NETWORKS);
}

/* From where config_set() has put them to where they belong. */
static void move_defaults(struct host_config *host)
{
    struct config *common = &host->common;

    memcpy(host->defaults.listeners, common->listeners, sizeof(host->defaults.listeners));
    memcpy(host->defaults.rate, common->network.rate, sizeof(host->defaults.rate));
    host->defaults.listener_count = common->listener_count;
    host->defaults.rate_shadow = common->network.rate_shadow;
    host->defaults.ovn = common->ovn;
    if (common->network.log_tag[0] != '\0')
        memcpy(common->worker.log_tag, common->network.log_tag, sizeof(common->worker.log_tag));
    memset(common->listeners, 0, sizeof(common->listeners));
    memset(&common->network, 0, sizeof(common->network));
    common->listener_count = 0;
    common->ovn = 0;
    common->given = 0;
}

/* A worker of its own has one network; of a shared one nobody knows how many networks it gets. */
static void fill_tables(struct host_config *host)
{
    struct settings *worker = &host->common.worker;
    const uint32_t networks = host->isolation == ISOLATION_NETWORK ? 1 : host->max_networks;

    worker->max_networks = networks;
    worker->max_listeners = networks > WORKER_LISTENERS_MOST / SPEC_LISTENERS_MAX
                                ? WORKER_LISTENERS_MOST
                                : networks * SPEC_LISTENERS_MAX;
}

bool host_config_finish(struct host_config *host, char error[CONFIG_ERROR_SIZE])
{
    if (!config_finish_common(&host->common, error))
        return false;
    if (host->common.listener_count > SPEC_LISTENERS_MAX) {
        text_append(error, CONFIG_ERROR_SIZE, 0, "listen: more than 4 listeners");
        return false;
    }
    move_defaults(host);
    if (host->isolation == ISOLATION_NETWORK)
        host->workers = 0;
    fill_tables(host);
    const char *wrong = settings_valid(&host->common.worker);
    if (wrong != NULL)
        text_append(error, CONFIG_ERROR_SIZE, 0, wrong);
    return wrong == NULL;
}

/* All that has more forms than settings_valid() and the comparison look at. */
static const char *parts_valid(const struct host_config *host)
{
    const bool shared = host->isolation == ISOLATION_SHARED;

    if (host->isolation >= ISOLATION_COUNT)
        return "isolation";
    if (shared ? host->workers == 0 || host->workers > HOST_WORKERS_MAX : host->workers != 0)
        return "workers";
    if (host->max_networks == 0 || host->max_networks > HOST_NETWORKS_MAX)
        return "max_networks";
    if (!text_stored_path(host->control_socket, SETTINGS_PATH_SIZE) || host->control_socket[0] == '\0')
        return "control_socket";
    if (!text_stored_name(host->control_group, CONFIG_NAME_SIZE))
        return "control_group";
    if (!text_stored_path(host->networks_directory, CONFIG_PATH_SIZE) || host->networks_directory[0] == '\0')
        return "networks";
    if (!text_stored_name(host->common.user, CONFIG_NAME_SIZE))
        return "user";
    if (!text_stored_name(host->common.group, CONFIG_NAME_SIZE))
        return "group";
    return network_defaults_valid(&host->defaults);
}

/* The agent: a socket below a directory, or a host and a port; and the default of the first. */
static const char *agent_valid(const struct config *common)
{
    if (!text_stored_path(common->state_path, sizeof(common->state_path)) || common->state_path[0] == '\0')
        return "state_path";
    if (common->agent_host[0] == '\0')
        return text_stored_path(common->backend, sizeof(common->backend)) && common->backend[0] != '\0' &&
                       common->agent_port == 0
                   ? NULL
                   : "backend";
    return text_stored_well(common->agent_host, sizeof(common->agent_host)) &&
                   endpoint_host_check(common->agent_host) == NULL && common->agent_port != 0 &&
                   common->backend[0] == '\0'
               ? NULL
               : "agent_host";
}

/* Copy what a file can set, and nothing else. */
static void copy_settable(struct host_config *to, const struct host_config *from)
{
    struct settings *worker = &to->common.worker;

    worker->log_target = from->common.worker.log_target;
    worker->log_level = from->common.worker.log_level;
    worker->log_facility = from->common.worker.log_facility;
    memcpy(worker->log_tag, from->common.worker.log_tag, sizeof(worker->log_tag));
    worker->methods = from->common.worker.methods;
    worker->forward_all = from->common.worker.forward_all;
    worker->upstream_reuse = from->common.worker.upstream_reuse;
    worker->forward_count = from->common.worker.forward_count;
    memcpy(worker->forward, from->common.worker.forward, sizeof(worker->forward));
#define COPY(name, ...) worker->name = from->common.worker.name;
    METAWARD_LIMITS(COPY)
    METAWARD_TIMEOUTS(COPY)
#undef COPY
    to->common.agent_port = from->common.agent_port;
    memcpy(to->common.agent_host, from->common.agent_host, sizeof(to->common.agent_host));
    memcpy(to->common.backend, from->common.backend, sizeof(to->common.backend));
    memcpy(to->common.state_path, from->common.state_path, sizeof(to->common.state_path));
    memcpy(to->common.user, from->common.user, sizeof(to->common.user));
    memcpy(to->common.group, from->common.group, sizeof(to->common.group));
    to->common.listener_count = from->defaults.listener_count;
    memcpy(to->common.listeners, from->defaults.listeners, sizeof(from->defaults.listeners));
    memcpy(to->common.network.rate, from->defaults.rate, sizeof(from->defaults.rate));
    to->common.network.rate_shadow = from->defaults.rate_shadow;
    to->common.ovn = from->defaults.ovn;
    to->isolation = from->isolation;
    to->workers = from->workers;
    to->max_networks = from->max_networks;
    memcpy(to->control_socket, from->control_socket, sizeof(to->control_socket));
    memcpy(to->control_group, from->control_group, sizeof(to->control_group));
    memcpy(to->networks_directory, from->networks_directory, sizeof(to->networks_directory));
}

const char *host_config_valid(const struct host_config *host)
{
    static struct host_config again; /* too large for a small stack; no process has two threads */
    char error[CONFIG_ERROR_SIZE];
    const char *wrong = parts_valid(host);

    if (wrong == NULL)
        wrong = agent_valid(&host->common);
    if (wrong == NULL)
        wrong = settings_valid(&host->common.worker);
    if (wrong != NULL)
        return wrong;
    host_config_default(&again);
    copy_settable(&again, host);
    if (!host_config_finish(&again, error) || memcmp(&again, host, sizeof(again)) != 0)
        return "a field that no file sets";
    return NULL;
}
