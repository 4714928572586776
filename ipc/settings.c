/*
 * Settings and the two sets of header names. See settings.h.
 *
 * settings_valid() guards the worker, so it takes nothing for granted that config.c has checked already. The
 * header sets are on the way of every request: the length picks the one to three names to compare with.
 */
#include "ipc/settings.h"

#include "ipc/address.h"
#include "ipc/instance.h"
#include "ipc/text.h"

#include <string.h>

#define UTC_OFFSET_MOST 50400 /* 14 hours: the easternmost zone is UTC+14 */

static const char *const standard_forward[] = {
    "user-agent", "accept",          "accept-encoding",          "content-type",
    "metadata",   "metadata-flavor", "x-aws-ec2-metadata-token", "x-aws-ec2-metadata-token-ttl-seconds",
};

_Static_assert(sizeof(standard_forward) / sizeof(standard_forward[0]) <= SETTINGS_FORWARD_MAX,
               "the list fits");

/* No padding: every byte of the structure has a name and is checked. */
_Static_assert(sizeof(struct settings) == 8 + 4 + 17 * sizeof(uint32_t) + SETTINGS_PATH_SIZE +
                                              sizeof(((struct settings *)NULL)->monitor_path) * (size_t)2 +
                                              NETWORK_TAG_SIZE + sizeof(((struct settings *)NULL)->forward),
               "settings have no padding");

void settings_default(struct settings *settings)
{
    memset(settings, 0, sizeof(*settings));
    settings->log_target = LOG_TO_SYSLOG;
    settings->log_facility = LOG_FACILITY_DAEMON;
    settings->methods = SETTINGS_METHODS_ALL;
    text_append(settings->log_tag, sizeof(settings->log_tag), 0, "metaward");
#define DEFAULT(name, standard, least, most, meaning) settings->name = (standard);
    METAWARD_LIMITS(DEFAULT)
    METAWARD_TABLES(DEFAULT)
    METAWARD_TIMEOUTS(DEFAULT)
#undef DEFAULT
    settings->forward_count = sizeof(standard_forward) / sizeof(standard_forward[0]);
    for (size_t i = 0; i < settings->forward_count; i++)
        memcpy(settings->forward[i], standard_forward[i], strlen(standard_forward[i]));
}

/* A name on the forward list: a token in lower case that can do no harm there. */
static bool forward_name_valid(const char *name)
{
    size_t length = strnlen(name, SETTINGS_FORWARD_SIZE);

    if (!text_is_token(name, length, SETTINGS_FORWARD_SIZE - 1) ||
        !text_stored_well(name, SETTINGS_FORWARD_SIZE))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (name[i] == '_' || (name[i] >= 'A' && name[i] <= 'Z'))
            return false;
    }
    return !header_is_protected(name, length) && !header_is_hop_by_hop(name, length);
}

static bool forward_valid(const struct settings *settings)
{
    static const char unused[SETTINGS_FORWARD_SIZE];

    if (settings->forward_count > SETTINGS_FORWARD_MAX ||
        (settings->forward_all && settings->forward_count != 0))
        return false;
    for (size_t i = 0; i < SETTINGS_FORWARD_MAX; i++) {
        const char *name = settings->forward[i];
        if (i < settings->forward_count ? !forward_name_valid(name)
                                        : memcmp(name, unused, sizeof(unused)) != 0)
            return false;
    }
    return true;
}

/* The socket's one name in the worker's root: "/metadata_proxy"; or an address. */
static bool backend_valid(const struct settings *settings)
{
    const char *path = settings->backend;
    struct address address;

    if (!text_stored_well(path, SETTINGS_PATH_SIZE))
        return false;
    if (settings_dialed(settings))
        return address_parse(path, &address) == NULL;
    return text_is_path(path, SETTINGS_PATH_SIZE - 1) && path[1] != '\0' && strchr(path + 1, '/') == NULL;
}

bool settings_own_path_valid(const char *path)
{
    return text_is_path(path, SETTINGS_OWN_PATH_SIZE - 1) && path[1] != '\0' && strpbrk(path, "?#") == NULL;
}

static bool own_path_stored_well(const char *path)
{
    return text_stored_well(path, SETTINGS_OWN_PATH_SIZE) &&
           (path[0] == '\0' || settings_own_path_valid(path));
}

static bool own_paths_differ(const struct settings *settings)
{
    return settings->monitor_path[0] == '\0' || strcmp(settings->monitor_path, settings->stats_path) != 0;
}

static bool in_range(uint32_t value, uint32_t least, uint32_t most)
{
    return value >= least && value <= most;
}

bool log_facility_read(const char *name, uint8_t *facility)
{
    static const char *const names[LOG_FACILITY_MOST + 1] = {
        "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
        "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
        "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7",
    };

    for (uint8_t i = 0; i <= LOG_FACILITY_MOST; i++) {
        if (strcmp(name, names[i]) == 0) {
            *facility = i;
            return true;
        }
    }
    return false;
}

/* What single ranges can't say. */
static const char *limits_together(const struct settings *settings)
{
    if (settings->max_connections_per_source > settings->max_connections)
        return "max_connections_per_source";
    if (settings->max_in_flight_per_source > settings->max_in_flight)
        return "max_in_flight_per_source";
    if (settings->max_request_line > settings->max_head)
        return "max_request_line";
    if (settings->max_request_line > settings->max_upstream_request - SETTINGS_HEAD_RESERVE)
        return "max_request_line";
    if (settings->max_body > settings->max_upstream_request - SETTINGS_HEAD_RESERVE)
        return "max_body";
    return NULL;
}

const char *settings_valid(const struct settings *settings)
{
    if (settings->log_target >= LOG_TO_COUNT)
        return "log_target";
    if (settings->log_level >= LOG_LEVEL_COUNT)
        return "log_level";
    if (settings->forward_all > 1)
        return "forward_all";
    if (settings->upstream_reuse > 1)
        return "upstream_reuse";
    if (settings->methods & ~SETTINGS_METHODS_ALL || ~settings->methods & SETTINGS_METHODS_ALWAYS)
        return "methods";
    if (settings->log_facility > LOG_FACILITY_MOST)
        return "log_facility";
    if (settings->reserved != 0)
        return "reserved";
    if (settings->utc_offset < -UTC_OFFSET_MOST || settings->utc_offset > UTC_OFFSET_MOST)
        return "utc_offset";
#define RANGE(name, standard, least, most, meaning)                                                          \
    if (!in_range(settings->name, (least), (most)))                                                          \
        return #name;
    METAWARD_LIMITS(RANGE)
    METAWARD_TABLES(RANGE)
    METAWARD_TIMEOUTS(RANGE)
#undef RANGE
    if (!backend_valid(settings))
        return "backend";
    if (settings->max_instances > INSTANCES_MOST)
        return "max_instances";
    if (!own_path_stored_well(settings->monitor_path))
        return "monitor_path";
    if (!own_path_stored_well(settings->stats_path) || !own_paths_differ(settings))
        return "stats_path";
    if (!forward_valid(settings))
        return "forward";
    if (!text_stored_well(settings->log_tag, NETWORK_TAG_SIZE) || !log_tag_valid(settings->log_tag))
        return "log_tag";
    return limits_together(settings);
}

/* Do `length` bytes equal `lower`, taking capitals for small letters and '_' for '-'? */
static bool same(const char *name, const char *lower, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        else if (c == '_')
            c = '-';
        if (c != lower[i])
            return false;
    }
    return true;
}

#define IS(lower)          same(name, lower, sizeof(lower) - 1)
#define STARTS_WITH(lower) (length >= sizeof(lower) - 1 && IS(lower))

bool header_is_protected(const char *name, size_t length)
{
    if (STARTS_WITH("x-neutron-") || STARTS_WITH("x-ovn-"))
        return true;
    switch (length) {
    case 3:
        return IS("via");
    case 9:
        return IS("forwarded") || IS("x-real-ip");
    case 11:
        return IS("x-client-ip") || IS("x-tenant-id");
    case 12:
        return IS("x-project-id");
    case 13:
        return IS("x-instance-id");
    case 15:
        return IS("x-forwarded-for");
    case 16:
        return IS("x-forwarded-host") || IS("x-forwarded-port");
    case 17:
        return IS("x-forwarded-proto");
    case 18:
        return IS("x-forwarded-server");
    case 19:
        return IS("x-metadata-provider");
    case 23:
        return IS("x-instance-id-signature");
    case 29:
        return IS("x-metadata-provider-signature");
    default:
        return false;
    }
}

bool header_is_hop_by_hop(const char *name, size_t length)
{
    switch (length) {
    case 2:
        return IS("te");
    case 4:
        return IS("host");
    case 6:
        return IS("expect");
    case 7:
        return IS("trailer") || IS("upgrade");
    case 10:
        return IS("connection") || IS("keep-alive");
    case 14:
        return IS("content-length") || IS("http2-settings");
    case 16:
        return IS("proxy-connection");
    case 17:
        return IS("transfer-encoding");
    case 18:
        return IS("proxy-authenticate");
    case 19:
        return IS("proxy-authorization");
    default:
        return false;
    }
}
