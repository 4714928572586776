/*
 * Filling in a reading, and not believing one. See reading.h.
 *
 * reading_valid() makes the configuration once more from the few values that a file can set, and compares. So
 * a member of struct config that nobody thought of here can't be set by a reader at all.
 */
#include "ipc/reading.h"

#include "ipc/text.h"

#include <string.h>

void reading_begin(struct reading *reading)
{
    memset(reading, 0, sizeof(*reading));
    reading->version = READING_VERSION;
}

void reading_refuse(struct reading *reading, uint32_t line, const char *word, const char *reason)
{
    reading_begin(reading);
    reading->line = line;
    if (word != NULL)
        text_append_quoted(reading->word, sizeof(reading->word), 0, word);
    text_append(reading->reason, sizeof(reading->reason), 0, reason);
}

/* A socket, or a host and a port. */
static bool agent_valid(const struct config *config)
{
    if (!text_stored_path(config->backend, sizeof(config->backend)) ||
        !text_stored_well(config->agent_host, sizeof(config->agent_host)))
        return false;
    if (config->agent_host[0] == '\0')
        return config->backend[0] != '\0' && config->agent_port == 0;
    return config->agent_port != 0 && endpoint_host_check(config->agent_host) == NULL;
}

/* All that a file can set and that has more forms than settings_valid() looks at. */
static bool parts_valid(const struct config *config)
{
    const bool one = config->given_network <= 1 && config->given_router <= 1 && config->host_proxy <= 1 &&
                     config->given_network + config->given_router + config->host_proxy == 1;

    return one && config->daemonize <= 1 && config->ovn <= 1 &&
           address_list_valid(config->listeners, config->listener_count, CONFIG_LISTENERS_MAX) &&
           (config->worker.log_target == LOG_TO_SYSLOG || config->worker.log_target == LOG_TO_NONE) &&
           agent_valid(config) && text_stored_path(config->pid_file, sizeof(config->pid_file)) &&
           text_stored_name(config->user, sizeof(config->user)) &&
           text_stored_name(config->group, sizeof(config->group));
}

/* Copy what a file can set, and nothing else. */
static void copy_settable(struct config *to, const struct config *from)
{
    to->worker.log_target = from->worker.log_target;
    to->worker.log_level = from->worker.log_level;
    to->worker.log_facility = from->worker.log_facility;
    to->worker.max_connections = from->worker.max_connections;
#define COPY(name, standard, least, most, meaning) to->worker.name = from->worker.name;
    METAWARD_TIMEOUTS(COPY)
#undef COPY
    memcpy(to->network.rate, from->network.rate, sizeof(to->network.rate));
    memcpy(to->network.uuid, from->network.uuid, sizeof(to->network.uuid));
    memcpy(to->network.log_tag, from->network.log_tag, sizeof(to->network.log_tag));
    memcpy(to->listeners, from->listeners, sizeof(to->listeners));
    to->listener_count = from->listener_count;
    to->daemonize = from->daemonize;
    to->given_network = from->given_network;
    to->given_router = from->given_router;
    to->ovn = from->ovn;
    to->host_proxy = from->host_proxy;
    memcpy(to->worker.monitor_path, from->worker.monitor_path, sizeof(to->worker.monitor_path));
    memcpy(to->worker.stats_path, from->worker.stats_path, sizeof(to->worker.stats_path));
    memcpy(to->backend, from->backend, sizeof(to->backend));
    memcpy(to->agent_host, from->agent_host, sizeof(to->agent_host));
    to->agent_port = from->agent_port;
    memcpy(to->user, from->user, sizeof(to->user));
    memcpy(to->group, from->group, sizeof(to->group));
    memcpy(to->pid_file, from->pid_file, sizeof(to->pid_file));
}

static bool config_valid(const struct config *config)
{
    struct config again;
    char error[CONFIG_ERROR_SIZE];

    if (!parts_valid(config))
        return false;
    config_default(&again);
    copy_settable(&again, config);
    return config_finish(&again, error) && memcmp(&again, config, sizeof(again)) == 0;
}

bool reading_valid(const struct reading *reading)
{
    if (reading->version != READING_VERSION || reading->ok > 1 ||
        !bytes_zero(reading->reserved, sizeof(reading->reserved)))
        return false;
    if (!text_stored_well(reading->word, sizeof(reading->word)) ||
        !text_stored_well(reading->reason, sizeof(reading->reason)))
        return false;
    if (reading->ok == 1)
        return reading->line == 0 && reading->word[0] == '\0' && reading->reason[0] == '\0' &&
               config_valid(&reading->config) &&
               reading->instances <= (reading->config.host_proxy ? INSTANCES_MOST : 0);
    return reading->instances == 0 && reading->reason[0] != '\0' &&
           bytes_zero(&reading->config, sizeof(reading->config));
}
