/*
 * Setting keys by name, and what follows from several of them. See config.h.
 */
#include "ipc/config.h"

#include "ipc/instance.h"
#include "ipc/text.h"

#include <string.h>

#define DEFAULT_LISTENER   "169.254.169.254:80"
#define DEFAULT_STATE_PATH "/var/lib/neutron"
#define DEFAULT_SOCKET     "/metadata_proxy" /* below the state path */

/* No padding: two configurations are compared byte by byte. */
_Static_assert(offsetof(struct config, given) ==
                       offsetof(struct config, reserved) + sizeof(((struct config *)NULL)->reserved) &&
                   sizeof(struct config) ==
                       offsetof(struct config, writer) + sizeof(((struct config *)NULL)->writer),
               "a configuration has no padding");

/* A limit that must not be larger than another one, less a reserve. */
static const struct {
    size_t small;
    size_t large;
    uint32_t reserve;
    const char *wrong;
} relations[] = {
    {offsetof(struct config, worker.max_connections_per_source),
     offsetof(struct config, worker.max_connections), 0,
     "max-connections-per-source: more than max-connections"},
    {offsetof(struct config, worker.max_in_flight_per_source), offsetof(struct config, worker.max_in_flight),
     0, "max-in-flight-per-source: more than max-in-flight"},
    {offsetof(struct config, worker.max_request_line), offsetof(struct config, worker.max_head), 0,
     "max-request-line: more than max-head"},
    {offsetof(struct config, worker.max_request_line), offsetof(struct config, worker.max_upstream_request),
     SETTINGS_HEAD_RESERVE, "max-request-line: max-upstream-request must be at least 256 more"},
    {offsetof(struct config, worker.max_body), offsetof(struct config, worker.max_upstream_request),
     SETTINGS_HEAD_RESERVE, "max-body: max-upstream-request must be at least 256 more"},
};

/* Write one error line and return false, so that a check can end with it. */
static bool refuse(char error[CONFIG_ERROR_SIZE], const char *line)
{
    text_append(error, CONFIG_ERROR_SIZE, 0, line);
    return false;
}

void config_key_name(const struct config_key *key, char mark, char out[CONFIG_KEY_SIZE])
{
    text_store(out, CONFIG_KEY_SIZE, key->name);
    for (size_t i = 0; out[i] != '\0'; i++) {
        if (out[i] == '_')
            out[i] = mark;
    }
}

static const struct config_key *find_key(const char *name)
{
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        size_t i = 0;
        while (name[i] != '\0' && (name[i] == '-' ? '_' : name[i]) == key->name[i])
            i++;
        if (name[i] == '\0' && key->name[i] == '\0')
            return key;
    }
    return NULL;
}

/* The bit in config.given of the keys that fill the member at `offset`. */
static uint64_t given_bit(size_t offset)
{
    unsigned number = 0;

    while (config_keys[number].name != NULL && config_keys[number].offset != offset)
        number++;
    return UINT64_C(1) << number;
}

void config_default(struct config *config)
{
    memset(config, 0, sizeof(*config));
    settings_default(&config->worker);
    text_store(config->state_path, sizeof(config->state_path), DEFAULT_STATE_PATH);
}

/* Call the key's reader, if it may be called. */
static const char *read_value(struct config *config, const struct config_key *key, const char *value)
{
    uint64_t bit = given_bit(key->offset);

    if (key->kind == CONFIG_VALUE && value == NULL)
        return "needs a value";
    if (key->kind == CONFIG_FLAG && value != NULL)
        return "takes no value";
    if (!key->repeated && (config->given & bit) != 0)
        return "given twice";
    const char *wrong = key->set(config, key, value);
    if (wrong == NULL)
        config->given |= bit;
    return wrong;
}

const char *config_set_plain(struct config *config, const char *name, const char *value)
{
    const struct config_key *key = find_key(name);
    return key == NULL ? "no such key" : read_value(config, key, value);
}

const char *config_set_agent(struct config *config, const char *host, uint32_t port)
{
    uint64_t bit = given_bit(offsetof(struct config, agent_host));
    const char *wrong = endpoint_host_check(host);

    if ((config->given & bit) != 0)
        return "given twice";
    if (wrong != NULL || port == 0 || port > UINT16_MAX)
        return wrong != NULL ? wrong : "the port is not 1 to 65535";
    text_store(config->agent_host, sizeof(config->agent_host), host);
    config->agent_port = (uint16_t)port;
    config->given |= bit;
    return NULL;
}

bool config_set(struct config *config, const char *name, const char *value, char error[CONFIG_ERROR_SIZE])
{
    const struct config_key *key = find_key(name);
    char shown[CONFIG_KEY_SIZE];
    size_t at;

    if (key == NULL) {
        at = text_append_quoted(error, CONFIG_ERROR_SIZE, 0, name);
        text_append(error, CONFIG_ERROR_SIZE, at, ": no such key");
        return false;
    }
    const char *wrong = read_value(config, key, value);
    if (wrong == NULL)
        return true;
    config_key_name(key, '-', shown);
    at = text_append(error, CONFIG_ERROR_SIZE, 0, shown);
    at = text_append(error, CONFIG_ERROR_SIZE, at, ": ");
    at = text_append(error, CONFIG_ERROR_SIZE, at, wrong);
    if (value != NULL) {
        at = text_append(error, CONFIG_ERROR_SIZE, at, ": ");
        text_append_quoted(error, CONFIG_ERROR_SIZE, at, value);
    }
    return false;
}

static bool finish_identity(struct config *config, char error[CONFIG_ERROR_SIZE])
{
    if (config->host_proxy) {
        config->network.identity = IDENTITY_INSTANCE;
        config->worker.max_instances = INSTANCES_MOST;
        return true;
    }
    if (config->given_network + config->given_router != 1)
        return refuse(error, "network-id: exactly one of network-id and router-id is needed");
    config->network.identity = (uint8_t)identity_header_of(config->ovn, config->given_router);
    return true;
}

/* The agent over TCP. A name's address is not known yet. */
static bool finish_address(struct config *config, char error[CONFIG_ERROR_SIZE])
{
    struct address address = {.family = ADDRESS_IPV4, .port = config->agent_port};
    char text[ADDRESS_TEXT_SIZE];

    if (config->backend[0] != '\0')
        return refuse(error, "metadata-address: not together with metadata-proxy-socket");
    (void)endpoint_literal(config->agent_host, config->agent_port, &address);
    address_format(&address, text);
    return text_store(config->worker.backend, sizeof(config->worker.backend), text);
}

/* The agent's socket on the host, and as the worker's root shows it. */
static bool finish_socket(struct config *config, char error[CONFIG_ERROR_SIZE])
{
    if (config->backend[0] == '\0') {
        const char *state = strcmp(config->state_path, "/") == 0 ? "" : config->state_path;
        size_t length = strlen(state);
        if (length + sizeof(DEFAULT_SOCKET) > sizeof(config->backend))
            return refuse(error, "state-path: too long for a socket below it, give metadata-proxy-socket");
        memcpy(config->backend, state, length);
        memcpy(config->backend + length, DEFAULT_SOCKET, sizeof(DEFAULT_SOCKET));
    }
    const char *name = strrchr(config->backend, '/');
    if (name == NULL || name == config->backend)
        return refuse(error, "metadata-proxy-socket: the socket needs a directory of its own, not the root");
    return text_store(config->worker.backend, sizeof(config->worker.backend), name);
}

static bool finish_backend(struct config *config, char error[CONFIG_ERROR_SIZE])
{
    return config->agent_host[0] != '\0' ? finish_address(config, error) : finish_socket(config, error);
}

static bool finish_rates(const struct config *config, char error[CONFIG_ERROR_SIZE])
{
    if (config->network.rate_shadow && config->network.rate[0].limit == 0)
        return refuse(error, "rate-limit-shadow: needs a rate-limit");
    return true;
}

static bool finish_limits(struct config *config, char error[CONFIG_ERROR_SIZE])
{
    for (size_t i = 0; i < sizeof(relations) / sizeof(relations[0]); i++) {
        uint32_t *small = (void *)((char *)config + relations[i].small);
        const uint32_t *large = (const void *)((const char *)config + relations[i].large);
        uint32_t most = *large - relations[i].reserve;
        if (*small > most && (config->given & given_bit(relations[i].small)) != 0)
            return refuse(error, relations[i].wrong);
        if (*small > most)
            *small = most;
    }
    return true;
}

bool config_finish_common(struct config *config, char error[CONFIG_ERROR_SIZE])
{
    if (!finish_backend(config, error) || !finish_limits(config, error))
        return false;
    return config->listener_count > 0 || config_set(config, "listen", DEFAULT_LISTENER, error);
}

bool config_finish(struct config *config, char error[CONFIG_ERROR_SIZE])
{
    if (!finish_identity(config, error) || !config_finish_common(config, error) ||
        !finish_rates(config, error))
        return false;
    config->worker.max_listeners = config->listener_count;
    const char *wrong = network_valid(&config->network);
    if (wrong == NULL) {
        network_log_name(&config->network, config->worker.log_target == LOG_TO_SYSLOG,
                         config->worker.log_tag);
        wrong = settings_valid(&config->worker);
    }
    return wrong == NULL || refuse(error, wrong);
}
