/*
 * The table of keys and how each kind of value is read. See config.h.
 *
 * A key names its reader and the member that the reader fills, so a new key is a new line. A reader writes
 * only after it has read its whole value. Nothing here looks at the system: whether a path or a user exists
 * is found out where it is used.
 */
#include "ipc/config.h"

#include "ipc/text.h"

#include <string.h>

/* The order of enum http_method, which is that of the bits in settings.methods. */
static const char *const method_names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};

#define METHOD_COUNT (sizeof(method_names) / sizeof(method_names[0]))
_Static_assert((1U << METHOD_COUNT) - 1 == SETTINGS_METHODS_ALL, "one name for each bit");

static void *member(struct config *config, size_t offset)
{
    return (char *)config + offset;
}

static const char *set_number(struct config *config, const struct config_key *key, const char *value)
{
    bool good = text_number(value, key->least, key->most, member(config, key->offset));
    return good ? NULL : "not a whole number in its range";
}

static const char *set_time(struct config *config, const struct config_key *key, const char *value)
{
    bool good = text_milliseconds(value, key->least, key->most, member(config, key->offset));
    return good ? NULL : "not a time in its range, as 30, 30s, 500ms or 2m";
}

static const char *set_flag(struct config *config, const struct config_key *key, const char *value)
{
    uint8_t *flag = member(config, key->offset);

    (void)value;
    *flag = 1;
    return NULL;
}

static const char *set_choice(struct config *config, const struct config_key *key, const char *value)
{
    uint8_t *number = member(config, key->offset);

    for (uint8_t i = 0; i < 4 && key->choices[i] != NULL; i++) {
        if (strcmp(value, key->choices[i]) == 0) {
            *number = i;
            return NULL;
        }
    }
    return "not one of the words that --help lists";
}

static const char *set_path(struct config *config, const struct config_key *key, const char *value)
{
    if (!text_is_path(value, key->most - 1) || !text_store(member(config, key->offset), key->most, value))
        return "not an absolute path, or with '.', '..', '//' or blanks in it, or too long";
    return NULL;
}

static const char *set_name(struct config *config, const struct config_key *key, const char *value)
{
    if (!text_is_name(value, key->most - 1) || !text_store(member(config, key->offset), key->most, value))
        return "not a name of letters, digits, '.', '_' and '-', or too long";
    return NULL;
}

static const char *set_name_or_path(struct config *config, const struct config_key *key, const char *value)
{
    return value[0] == '/' ? set_path(config, key, value) : set_name(config, key, value);
}

static const char *set_agent(struct config *config, const struct config_key *key, const char *value)
{
    return endpoint_split(value, member(config, key->offset), &config->agent_port);
}

static const char *set_identity_value(struct config *config, const struct config_key *key, const char *value)
{
    uint8_t *times = member(config, key->offset);

    if (!text_is_uuid(value, strnlen(value, UUID_LENGTH + 1)) ||
        !text_store(config->network.uuid, NETWORK_UUID_SIZE, value))
        return "not a UUID";
    if (*times < UINT8_MAX)
        ++*times;
    return NULL;
}

static const char *add_listener(struct config *config, const struct address *address)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        if (memcmp(&config->listeners[i], address, sizeof(*address)) == 0)
            return "given twice";
    }
    if (config->listener_count == CONFIG_LISTENERS_MAX)
        return "more than 16 listeners";
    config->listeners[config->listener_count++] = *address;
    return NULL;
}

static const char *set_listener(struct config *config, const struct config_key *key, const char *value)
{
    struct address address;
    const char *wrong = address_parse(value, &address);

    (void)key;
    return wrong != NULL ? wrong : add_listener(config, &address);
}

/* The old --metadata_port: every IPv4 address of the namespace. */
static const char *set_port(struct config *config, const struct config_key *key, const char *value)
{
    struct address address = {.family = ADDRESS_IPV4};
    uint32_t port;

    if (!text_number(value, key->least, key->most, &port))
        return "not a port, 1 to 65535";
    address.port = (uint16_t)port;
    return add_listener(config, &address);
}

/*
 * Take the next word of a list with commas: *at moves behind it and its comma, or becomes NULL at the end.
 * Returns the word's length; 0 where it is empty or does not fit.
 */
static size_t next_word(const char **at, char *word, size_t size)
{
    size_t length = strcspn(*at, ",");
    const char *start = *at;

    *at = start[length] == ',' ? start + length + 1 : NULL;
    if (length >= size)
        return 0;
    memset(word, 0, size);
    memcpy(word, start, length);
    return length;
}

static const char *set_methods(struct config *config, const struct config_key *key, const char *value)
{
    uint8_t bits = SETTINGS_METHODS_ALWAYS;
    const char *at = value;

    (void)key;
    while (at != NULL) {
        char word[8]; /* "OPTIONS" */
        size_t number = 0;
        if (next_word(&at, word, sizeof(word)) == 0)
            return "not a list of methods with commas between them";
        while (number < METHOD_COUNT && strcmp(word, method_names[number]) != 0)
            number++;
        if (number == METHOD_COUNT)
            return "a method that is never forwarded, or not in capitals";
        bits = (uint8_t)(bits | 1U << number);
    }
    config->worker.methods = bits;
    return NULL;
}

/* Check one name for the forward list and make it lower case. */
static const char *forward_name(char *name, size_t length)
{
    if (!text_is_token(name, length, SETTINGS_FORWARD_SIZE - 1))
        return "not a list of header names with commas between them";
    if (memchr(name, '_', length) != NULL)
        return "a header with '_' in its name is never forwarded";
    if (header_is_protected(name, length))
        return "a protected header is never forwarded";
    if (header_is_hop_by_hop(name, length))
        return "a header of one hop is never forwarded";
    for (size_t i = 0; i < length; i++) {
        if (name[i] >= 'A' && name[i] <= 'Z')
            name[i] = (char)(name[i] - 'A' + 'a');
    }
    return NULL;
}

static const char *forward_list(struct settings *settings, const char *value)
{
    const char *at = value;

    memset(settings->forward, 0, sizeof(settings->forward));
    settings->forward_count = 0;
    settings->forward_all = 0;
    while (at != NULL) {
        if (settings->forward_count == SETTINGS_FORWARD_MAX)
            return "more than 16 headers";
        char *name = settings->forward[settings->forward_count];
        size_t length = next_word(&at, name, SETTINGS_FORWARD_SIZE);
        const char *wrong = forward_name(name, length);
        if (wrong != NULL)
            return wrong;
        for (size_t i = 0; i < settings->forward_count; i++) {
            if (strcmp(settings->forward[i], name) == 0)
                return "a header given twice";
        }
        settings->forward_count++;
    }
    return NULL;
}

static const char *set_forward(struct config *config, const struct config_key *key, const char *value)
{
    struct settings changed;
    const char *wrong = NULL;

    (void)key;
    settings_default(&changed);
    if (strcmp(value, "all") == 0) {
        changed.forward_all = 1;
        changed.forward_count = 0;
        memset(changed.forward, 0, sizeof(changed.forward));
    } else if (strcmp(value, "list") != 0 && strcmp(value, "default") != 0) {
        wrong = forward_list(&changed, value);
    }
    if (wrong != NULL)
        return wrong;
    config->worker.forward_all = changed.forward_all;
    config->worker.forward_count = changed.forward_count;
    memcpy(config->worker.forward, changed.forward, sizeof(changed.forward));
    return NULL;
}

static const char *set_facility(struct config *config, const struct config_key *key, const char *value)
{
    return log_facility_read(value, member(config, key->offset)) ? NULL : "not one of kern to local7";
}

static const char *set_tag(struct config *config, const struct config_key *key, const char *value)
{
    if (!log_tag_valid(value) || !text_store(member(config, key->offset), NETWORK_TAG_SIZE, value))
        return "not 1 to 79 printable characters without blanks, ':' and '['";
    return NULL;
}

/* "N/PERIOD": the next of the rates. */
static const char *set_rate(struct config *config, const struct config_key *key, const char *value)
{
    struct rate_limit *rate = member(config, key->offset);
    const char *slash = strchr(value, '/');
    char number[16];
    uint32_t limit, period;
    size_t used = 0;

    if (slash == NULL || (size_t)(slash - value) >= sizeof(number))
        return "not a number of requests and a time, as 100/60s";
    memcpy(number, value, (size_t)(slash - value));
    number[slash - value] = '\0';
    if (!text_number(number, 1, RATE_LIMIT_MOST, &limit))
        return "not 1 to 1000000 requests";
    if (!text_milliseconds(slash + 1, 1000, RATE_PERIOD_MOST * 1000, &period) || period % 1000 != 0)
        return "not a time of 1 to 86400 whole seconds";
    while (used < NETWORK_RATES && rate[used].limit != 0)
        used++;
    if (used == NETWORK_RATES)
        return "more than two rates";
    rate[used] = (struct rate_limit){.period_s = period / 1000, .limit = limit};
    return NULL;
}

#define AT(path) .offset = offsetof(struct config, path)

/* The numbers come from the lists in settings.h, so that a limit can't have a range there and another one
 * here. */
#define LIMIT(name, standard, low, high, meaning)                                                            \
    {#name,          "NUMBER",          "The most " meaning " (" #standard "; " #low " to " #high ").",      \
     CONFIG_VALUE,   .set = set_number, AT(worker.name),                                                     \
     .least = (low), .most = (high)},
#define TIMEOUT(name, standard, low, high, meaning)                                                          \
    {#name,                                                                                                  \
     "TIME",                                                                                                 \
     "The most time " meaning " (" #standard "ms; " #low "ms to " #high "ms).",                              \
     CONFIG_VALUE,                                                                                           \
     .set = set_time,                                                                                        \
     AT(worker.name),                                                                                        \
     .least = (low),                                                                                         \
     .most = (high)},

const struct config_key config_keys[] = {
    {"network_id", "UUID", "Stamp every request with this network. This or --router-id.", CONFIG_VALUE,
     .repeated = 1, .set = set_identity_value, AT(given_network)},
    {"router_id", "UUID", "Stamp every request with this router. This or --network-id.", CONFIG_VALUE,
     .repeated = 1, .set = set_identity_value, AT(given_router)},
    {"identity", "neutron|ovn", "Stamp with X-Neutron-... or with X-OVN-... headers (neutron).", CONFIG_VALUE,
     .set = set_choice, AT(ovn), .choices = {"neutron", "ovn"}},
    {"listen", "ADDR:PORT[%IF]",
     "Listen at this address, [ADDR]:PORT[%IF] for IPv6, of this interface; may be repeated "
     "(169.254.169.254:80).",
     CONFIG_VALUE, .repeated = 1, .set = set_listener, AT(listeners)},
    {"netns", "NAME|PATH", "Listen in this network namespace (the one of the start).", CONFIG_VALUE,
     .set = set_name_or_path, AT(netns), .most = CONFIG_PATH_SIZE},
    {"metadata_proxy_socket", "PATH", "The metadata agent's socket (metadata_proxy below the state path).",
     CONFIG_VALUE, .set = set_path, AT(backend), .most = SETTINGS_PATH_SIZE},
    {"metadata_address", "HOST:PORT",
     "The metadata agent over TCP, in place of its socket; a name is looked up once, at the start.",
     CONFIG_VALUE, .set = set_agent, AT(agent_host)},
    {"state_path", "PATH", "Where Neutron keeps its files (/var/lib/neutron).", CONFIG_VALUE, .set = set_path,
     AT(state_path), .most = CONFIG_PATH_SIZE},
    {"user", "NAME|UID", "Run the worker as this user, never root (metaward, else nobody).", CONFIG_VALUE,
     .set = set_name, AT(user), .most = CONFIG_NAME_SIZE},
    {"group", "NAME|GID", "Run the worker with this group (the user's own).", CONFIG_VALUE, .set = set_name,
     AT(group), .most = CONFIG_NAME_SIZE},
    {"pid_file", "PATH", "Write the parent's pid here, and hold it locked (no pid file).", CONFIG_VALUE,
     .set = set_path, AT(pid_file), .most = CONFIG_PATH_SIZE},
    {"daemonize", NULL, "Go into the background as soon as guests are served.", CONFIG_FLAG, .set = set_flag,
     AT(daemonize)},
    {"log", "syslog|stderr|none", "Where log lines go (syslog).", CONFIG_VALUE, .set = set_choice,
     AT(worker.log_target), .choices = {"none", "syslog", "stderr"}},
    {"log_level", "requests|events", "Log every request, or only what was refused or failed (requests).",
     CONFIG_VALUE, .set = set_choice, AT(worker.log_level), .choices = {"requests", "events"}},
    {"log_facility", "NAME", "The facility of syslog lines, kern to local7 (daemon).", CONFIG_VALUE,
     .set = set_facility, AT(worker.log_facility)},
    {"log_tag", "WORD", "The tag of syslog lines (metaward- and the UUID).", CONFIG_VALUE, .set = set_tag,
     AT(network.log_tag)},
    {"rate_limit", "N/PERIOD",
     "At most N requests of a guest within any PERIOD, as 100/60s; twice for bursts as well (no limit).",
     CONFIG_VALUE, .repeated = 1, .set = set_rate, AT(network.rate)},
    {"rate_limit_shadow", NULL, "Log requests beyond a rate, but let them pass.", CONFIG_FLAG,
     .set = set_flag, AT(network.rate_shadow)},
    {"forward_headers", "all|list|NAME,...",
     "Headers of guests that reach the agent: a short list, all but the protected ones, or these (list).",
     CONFIG_VALUE, .set = set_forward, AT(worker.forward)},
    {"upstream_reuse", NULL,
     "Keep connections to the agent for a network's next requests; for agents that serve many at a time.",
     CONFIG_FLAG, .set = set_flag, AT(worker.upstream_reuse)},
    {"methods", "METHOD,...", "Methods that reach the agent; GET and HEAD always do (all seven).",
     CONFIG_VALUE, .set = set_methods, AT(worker.methods)},
    METAWARD_LIMITS(LIMIT) METAWARD_TIMEOUTS(TIMEOUT)
    /* Names of the old neutron-ns-metadata-proxy that differ by more than '_'. */
    {"metadata_port", "PORT", "Listen at 0.0.0.0:PORT.", CONFIG_VALUE, .hidden = 1, .repeated = 1,
     .set = set_port, AT(listeners), .least = 1, .most = UINT16_MAX},
    {"metadata_proxy_user", "NAME|UID", "As --user.", CONFIG_VALUE, .hidden = 1, .set = set_name, AT(user),
     .most = CONFIG_NAME_SIZE},
    {"metadata_proxy_group", "NAME|GID", "As --group.", CONFIG_VALUE, .hidden = 1, .set = set_name, AT(group),
     .most = CONFIG_NAME_SIZE},
    {NULL, NULL, NULL, CONFIG_FLAG, .set = NULL},
};

_Static_assert(sizeof(config_keys) / sizeof(config_keys[0]) <= 64, "one bit of config.given for each key");
