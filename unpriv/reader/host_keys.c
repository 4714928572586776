/*
 * The table of keys, and what takes each of them. See host_keys.h.
 *
 * Keys of the command line are read into a struct config, from where the end of the file takes them to where
 * they belong. A taker looks at one value only; what several mean together is looked at behind the last line.
 */
#include "unpriv/reader/host_keys.h"

#include "ipc/text.h"
#include "unpriv/reader/ini_file.h"

#include <string.h>

enum host_section { IN_METAWARD, IN_LIMITS, IN_TIMEOUTS, IN_LOG, IN_DEFAULTS };
enum network_section { IN_NETWORK };

static const char *const host_sections[] = {"metaward", "limits",           "timeouts",
                                            "log",      "network defaults", NULL};
static const char *const network_sections[] = {"network", NULL};

/* What is known between two lines. */
struct keys {
    const struct key *table;
    struct host_config host; /* of a network's file only .common */
    uint64_t seen;           /* one bit for each entry of the table */
    bool no_rate;            /* rate_limit = none */
};

struct key {
    unsigned section;
    bool repeated; /* may stand in a file more than once */
    const char *name;
    const char *(*take)(struct keys *keys, const struct key *key, const char *value);
    size_t offset; /* in struct host_config; for the host's own keys only, as is */
    uint32_t most; /* the largest number, or the size of a text's array */
};

/* A key of the command line. */
static const char *take_value(struct keys *keys, const struct key *key, const char *value)
{
    return config_set_plain(&keys->host.common, key->name, value);
}

/* A flag of the command line. */
static const char *take_flag(struct keys *keys, const struct key *key, const char *value)
{
    if (strcmp(value, "no") == 0)
        return NULL;
    return strcmp(value, "yes") == 0 ? config_set_plain(&keys->host.common, key->name, NULL)
                                     : "not yes or no";
}

static void *member(struct keys *keys, const struct key *key)
{
    return (char *)&keys->host + key->offset;
}

static const char *take_number(struct keys *keys, const struct key *key, const char *value)
{
    return text_number(value, 1, key->most, member(keys, key)) ? NULL : "not a whole number in its range";
}

static const char *take_path(struct keys *keys, const struct key *key, const char *value)
{
    return text_is_path(value, key->most - 1) && text_store(member(keys, key), key->most, value)
               ? NULL
               : "not an absolute path, or with '.', '..', '//' or blanks in it, or too long";
}

static const char *take_name(struct keys *keys, const struct key *key, const char *value)
{
    return text_is_name(value, key->most - 1) && text_store(member(keys, key), key->most, value)
               ? NULL
               : "not a name of letters, digits, '.', '_' and '-', or too long";
}

static const char *take_isolation(struct keys *keys, const struct key *key, const char *value)
{
    uint8_t *isolation = member(keys, key);

    *isolation = strcmp(value, "network") == 0 ? ISOLATION_NETWORK : ISOLATION_SHARED;
    return *isolation == ISOLATION_NETWORK || strcmp(value, "shared") == 0 ? NULL : "not shared or network";
}

static const char *take_listen(struct keys *keys, const struct key *key, const char *value)
{
    return keys->host.common.listener_count < SPEC_LISTENERS_MAX ? take_value(keys, key, value)
                                                                 : "more than 4 listeners";
}

/* "none": not even the default's. */
static const char *take_network_rate(struct keys *keys, const struct key *key, const char *value)
{
    const bool none = strcmp(value, "none") == 0;

    if (keys->no_rate || (none && keys->host.common.network.rate[0].limit != 0))
        return "'none' stands alone";
    keys->no_rate = none;
    return none ? NULL : take_value(keys, key, value);
}

/* KEY is one of the command line, OWN one of the host. */
#define KEY(section, name)                                                                                   \
    {                                                                                                        \
        section, false, name, take_value, 0, 0                                                               \
    }
#define OWN(section, name, take, path, most)                                                                 \
    {                                                                                                        \
        section, false, name, take, offsetof(struct host_config, path), most                                 \
    }
#define LIMIT(name, ...)   KEY(IN_LIMITS, #name),
#define TIMEOUT(name, ...) KEY(IN_TIMEOUTS, #name),

static const struct key host_keys[] = {
    KEY(IN_METAWARD, "user"),
    KEY(IN_METAWARD, "group"),
    KEY(IN_METAWARD, "metadata_proxy_socket"),
    KEY(IN_METAWARD, "metadata_address"),
    KEY(IN_METAWARD, "state_path"),
    KEY(IN_METAWARD, "forward_headers"),
    {IN_METAWARD, false, "upstream_reuse", take_flag, 0, 0},
    KEY(IN_METAWARD, "methods"),
    OWN(IN_METAWARD, "isolation", take_isolation, isolation, 0),
    OWN(IN_METAWARD, "workers", take_number, workers, HOST_WORKERS_MAX),
    OWN(IN_METAWARD, "control_socket", take_path, control_socket, SETTINGS_PATH_SIZE),
    OWN(IN_METAWARD, "control_group", take_name, control_group, CONFIG_NAME_SIZE),
    OWN(IN_METAWARD, "networks", take_path, networks_directory, CONFIG_PATH_SIZE),
    OWN(IN_LIMITS, "max_networks", take_number, max_networks, HOST_NETWORKS_MAX),
    METAWARD_LIMITS(LIMIT) METAWARD_TIMEOUTS(TIMEOUT) KEY(IN_LOG, "log"),
    KEY(IN_LOG, "log_level"),
    KEY(IN_LOG, "log_facility"),
    KEY(IN_LOG, "log_tag"),
    KEY(IN_DEFAULTS, "identity"),
    {IN_DEFAULTS, true, "listen", take_listen, 0, 0},
    {IN_DEFAULTS, true, "rate_limit", take_value, 0, 0},
    {IN_DEFAULTS, false, "rate_limit_shadow", take_flag, 0, 0},
    {0, false, NULL, NULL, 0, 0},
};

static const struct key network_keys[] = {
    KEY(IN_NETWORK, "network_id"),
    KEY(IN_NETWORK, "router_id"),
    KEY(IN_NETWORK, "identity"),
    KEY(IN_NETWORK, "netns"),
    {IN_NETWORK, true, "listen", take_listen, 0, 0},
    {IN_NETWORK, true, "rate_limit", take_network_rate, 0, 0},
    {IN_NETWORK, false, "rate_limit_shadow", take_flag, 0, 0},
    KEY(IN_NETWORK, "log_tag"),
    {0, false, NULL, NULL, 0, 0},
};

_Static_assert(sizeof(host_keys) / sizeof(host_keys[0]) <= 64, "one bit of keys.seen for each");

static uint64_t bit_of(const struct keys *keys, const char *name)
{
    unsigned number = 0;

    while (keys->table[number].name != NULL && strcmp(keys->table[number].name, name) != 0)
        number++;
    return UINT64_C(1) << number;
}

static bool was_seen(const struct keys *keys, const char *name)
{
    return (keys->seen & bit_of(keys, name)) != 0;
}

static const char *take(void *state, unsigned section, const char *name, const char *value,
                        const char **about)
{
    struct keys *keys = state;
    const struct key *key = keys->table;

    while (key->name != NULL && (key->section != section || strcmp(key->name, name) != 0))
        key++;
    if (key->name == NULL)
        return "no such key in this section";
    if (!key->repeated && was_seen(keys, name))
        return "given twice";
    if (value[0] == '\0')
        return "there is no value";
    keys->seen |= bit_of(keys, name);
    *about = value;
    return key->take(keys, key, value);
}

/* What is missing in the global file, or does not fit together. */
static const char *finish_host(struct keys *keys, char error[CONFIG_ERROR_SIZE])
{
    if (keys->host.isolation == ISOLATION_NETWORK && was_seen(keys, "workers"))
        return "workers: has no meaning with isolation = network";
    return host_config_finish(&keys->host, error) ? NULL : error;
}

/* What the file does not say, from the defaults. */
static void apply_defaults(struct keys *keys, const struct network_defaults *defaults)
{
    struct config *config = &keys->host.common;

    if (!was_seen(keys, "rate_limit"))
        memcpy(config->network.rate, defaults->rate, sizeof(config->network.rate));
    if (!was_seen(keys, "rate_limit_shadow") && config->network.rate[0].limit != 0)
        config->network.rate_shadow = defaults->rate_shadow;
    if (!was_seen(keys, "identity"))
        config->ovn = defaults->ovn;
    if (config->listener_count == 0) {
        memcpy(config->listeners, defaults->listeners, sizeof(defaults->listeners));
        config->listener_count = defaults->listener_count;
    }
}

static const char *finish_network(struct keys *keys, const struct network_defaults *defaults,
                                  struct network_spec *out)
{
    struct config *config = &keys->host.common;

    if (config->given_network + config->given_router != 1)
        return "exactly one of network_id and router_id is needed";
    if (config->netns[0] == '\0')
        return "there is no netns";
    apply_defaults(keys, defaults);
    if (config->network.rate_shadow && config->network.rate[0].limit == 0)
        return "rate_limit_shadow: needs a rate_limit";
    config->network.identity = identity_header_of(config->ovn, config->given_router);
    memcpy(&out->network, &config->network, sizeof(out->network));
    memcpy(out->listeners, config->listeners, sizeof(out->listeners));
    out->listener_count = config->listener_count;
    memcpy(out->netns, config->netns, sizeof(out->netns));
    return network_spec_valid(out);
}

void host_file_read(const char *text, size_t length, const struct host_request *request,
                    struct host_reading *out)
{
    const bool global = request->kind == HOST_FILE_GLOBAL;
    const struct ini_language language = {global ? host_sections : network_sections, take};
    struct keys keys = {.table = global ? host_keys : network_keys};
    struct ini_mistake mistake;
    char error[CONFIG_ERROR_SIZE];
    const char *wrong;

    host_reading_begin(out, request);
    if (length > HOST_FILE_MAX) {
        host_reading_refuse(out, 0, NULL, "the file is larger than 64 KiB");
        return;
    }
    host_config_default(&keys.host);
    if (!ini_read(text, length, &language, &keys, &mistake)) {
        host_reading_refuse(out, mistake.line, mistake.word[0] != '\0' ? mistake.word : NULL, mistake.reason);
        return;
    }
    wrong =
        global ? finish_host(&keys, error) : finish_network(&keys, &request->defaults, &out->body.network);
    if (wrong != NULL) {
        host_reading_refuse(out, 0, NULL, wrong);
        return;
    }
    out->ok = 1;
    if (global)
        memcpy(&out->body.host, &keys.host, sizeof(out->body.host));
}
