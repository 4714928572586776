/*
 * The table of directives, and what takes each of them. See directive.h.
 *
 * A pattern is the line's words, with '*' for those that carry a value. The first entry that fits the whole
 * line takes it; where none does, the mistake is the first word that no entry of the section has in its
 * place. A taker looks at its values only: the words between them are as the pattern says.
 */
#include "unpriv/reader/directive.h"

#include "ipc/text.h"
#include "unpriv/reader/hostproxy.h"

#include <string.h>

#define BRACKETS_SIZE 64 /* a table's name or a time, and more than that */

static const char *const rate_tables[NETWORK_RATES] = {"base_rate_limiter", "burst_rate_limiter"};

/* In the order of syslog's numbers. */
static const char *const facilities[LOG_FACILITY_MOST + 1] = {
    "kern",   "user",   "mail",   "daemon", "auth",   "syslog", "lpr",    "news",
    "uucp",   "cron",   "auth2",  "ftp",    "ntp",    "audit",  "alert",  "cron2",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"};

const char *directive_wrong(struct directives *state, unsigned word, const char *why)
{
    state->wrong = word;
    return why;
}

const char *directive_mixed(struct directives *state, enum served served)
{
    if (state->served == SERVED_UNKNOWN)
        state->served = served;
    return state->served == served ? NULL : "a network's proxy and a host's in one file";
}

const char *directive_take_nothing(struct directives *state, const struct directive *directive,
                                   char *const *words)
{
    (void)state;
    (void)directive;
    (void)words;
    return NULL;
}

static const char *take_section(struct directives *state, const struct directive *directive,
                                char *const *words)
{
    const enum section enters = directive->is.enters;
    const enum served served = enters == SECTION_FRONTEND ? SERVED_HOST : SERVED_NETWORK;

    (void)words;
    state->section = enters;
    if (enters == SECTION_GLOBAL)
        return NULL;
    return directive_wrong(state, 0, directive_mixed(state, served));
}

static const char *take_key(struct directives *state, const struct directive *directive, char *const *words)
{
    return directive_wrong(state, 1, config_set_plain(&state->config, directive->is.key, words[1]));
}

static const char *take_daemon(struct directives *state, const struct directive *directive,
                               char *const *words)
{
    (void)words;
    return config_set_plain(&state->config, directive->is.key, NULL);
}

/* Agents join a directory and a name as they are configured, so "//" occurs; it names what "/" does. */
static const char *set_path(struct directives *state, const char *key, char *path)
{
    size_t length = 0;

    for (const char *from = path; *from != '\0'; from++) {
        if (*from != '/' || from[1] != '/')
            path[length++] = *from;
    }
    path[length] = '\0';
    return config_set_plain(&state->config, key, path);
}

static const char *take_pidfile(struct directives *state, const struct directive *directive,
                                char *const *words)
{
    return directive_wrong(state, 1, set_path(state, directive->is.key, words[1]));
}

static const char *take_server(struct directives *state, const struct directive *directive,
                               char *const *words)
{
    if (!text_is_name(words[1], CONFIG_NAME_SIZE - 1))
        return directive_wrong(state, 1, "not a server's name");
    if (words[2][0] != '/')
        return directive_wrong(state, 2, "not the absolute path of a socket");
    return directive_wrong(state, 2, set_path(state, directive->is.key, words[2]));
}

static const char *take_log(struct directives *state, const struct directive *directive, char *const *words)
{
    unsigned char facility = 0;

    (void)directive;
    if (strcmp(words[1], "/dev/log") != 0)
        return directive_wrong(state, 1, "not /dev/log, the only log that is supported");
    while (facility <= LOG_FACILITY_MOST && strcmp(words[2], facilities[facility]) != 0)
        facility++;
    if (facility > LOG_FACILITY_MOST)
        return directive_wrong(state, 2, "not a facility of syslog");
    if (strcmp(words[3], "info") != 0 && strcmp(words[3], "debug") != 0)
        return directive_wrong(state, 3, "not one of the levels info and debug");
    state->config.worker.log_facility = facility;
    state->logged = true;
    return NULL;
}

static const char *take_log_tag(struct directives *state, const struct directive *directive,
                                char *const *words)
{
    (void)directive;
    if (!log_tag_valid(words[1]))
        return directive_wrong(state, 1, "not a tag: printable, without ':' and '[', at most 79 bytes");
    text_store(state->config.network.log_tag, NETWORK_TAG_SIZE, words[1]);
    return NULL;
}

const char *directive_take_log_global(struct directives *state, const struct directive *directive,
                                      char *const *words)
{
    (void)directive;
    (void)words;
    state->requests_logged = true;
    return NULL;
}

const char *directive_take_number(struct directives *state, const struct directive *directive,
                                  char *const *words)
{
    uint32_t number;

    (void)directive;
    return text_number(words[1], 0, UINT16_MAX, &number)
               ? NULL
               : directive_wrong(state, 1, "not a whole number in its range");
}

/* A time as HAProxy reads it: a bare number is milliseconds there. */
bool directive_read_time(const char *text, uint32_t *milliseconds)
{
    return text_number(text, 0, INT32_MAX, milliseconds) ||
           text_milliseconds(text, 0, INT32_MAX, milliseconds);
}

/* What is longer than metaward's longest, or 0 for endless, becomes the longest: one hour. */
const char *directive_take_timeout(struct directives *state, const struct directive *directive,
                                   char *const *words)
{
    const struct config_key *key = config_keys;
    uint32_t given;

    while (strcmp(key->name, directive->is.key) != 0)
        key++;
    if (!directive_read_time(words[2], &given) || (given > 0 && given < key->least))
        return directive_wrong(state, 2, "not a time of at least 100ms, as 30s, 500ms or 2m");
    uint32_t *out = (void *)((char *)&state->config + key->offset);
    *out = given == 0 || given > key->most ? key->most : given;
    return NULL;
}

/* `text` is `name`, '(', what is wanted, ')'. @return false where it is something else, or too long */
static bool between_brackets(const char *text, const char *name, char out[BRACKETS_SIZE])
{
    const size_t length = strlen(text), before = strlen(name) + 1;

    if (length < before + 2 || strncmp(text, name, before - 1) != 0 || text[before - 1] != '(' ||
        text[length - 1] != ')' || !text_store(out, BRACKETS_SIZE, text + before))
        return false;
    out[length - before - 1] = '\0';
    return true;
}

static const char *take_table(struct directives *state, const struct directive *directive, char *const *words)
{
    uint32_t expire, period;
    char rate[BRACKETS_SIZE];

    if (state->rates[directive->is.rate] != 0)
        return directive_wrong(state, 0, "given twice");
    if (!directive_read_time(words[6], &expire))
        return directive_wrong(state, 6, "not a time, as 30s");
    if (!between_brackets(words[8], "http_req_rate", rate) || !directive_read_time(rate, &period))
        return directive_wrong(state, 8, "not a rate, as http_req_rate(10s)");
    if (period < 1000 || period % 1000 != 0 || period / 1000 > RATE_PERIOD_MOST)
        return directive_wrong(state, 8, "not whole seconds, from one to a day");
    if (expire < period)
        return directive_wrong(state, 6, "shorter than the rate's period");
    state->config.network.rate[directive->is.rate].period_s = period / 1000;
    state->rates[directive->is.rate] |= RATE_TABLE;
    return NULL;
}

static const char *take_track(struct directives *state, const struct directive *directive, char *const *words)
{
    const unsigned rate = directive->is.rate;

    if (strcmp(words[4], rate_tables[rate]) != 0)
        return directive_wrong(state, 4, "not the table that belongs to this counter");
    if ((state->rates[rate] & RATE_TABLE) == 0)
        return directive_wrong(state, 4, "no such table");
    state->rates[rate] |= RATE_TRACKED;
    return NULL;
}

static const char *take_deny(struct directives *state, const struct directive *directive, char *const *words)
{
    char name[BRACKETS_SIZE];
    unsigned rate = 0;

    (void)directive;
    if (!between_brackets(words[6], "src_http_req_rate", name))
        return directive_wrong(state, 6, "not a rate, as src_http_req_rate(base_rate_limiter)");
    while (rate < NETWORK_RATES && strcmp(name, rate_tables[rate]) != 0)
        rate++;
    if (rate == NETWORK_RATES || (state->rates[rate] & RATE_TABLE) == 0)
        return directive_wrong(state, 6, "no such table");
    if ((state->rates[rate] & RATE_DENIED) != 0)
        return directive_wrong(state, 6, "given twice");
    if (!text_number(words[8], 1, RATE_LIMIT_MOST, &state->config.network.rate[rate].limit))
        return directive_wrong(state, 8, "not a whole number in its range");
    state->rates[rate] |= RATE_DENIED;
    return NULL;
}

/* The last colon is the port's, with and without brackets around an IPv6 address. */
const char *directive_set_listener(struct directives *state, const char *word, const char *interface)
{
    char address[ADDRESS_TEXT_SIZE], storage[ADDRESS_TEXT_SIZE];
    char *host = storage, *port;

    if (!text_store(storage, sizeof(storage), word) ||
        strlen(word) + strlen(interface) + sizeof("[]%") > sizeof(address))
        return "too long for an address";
    port = strrchr(host, ':');
    if (port == NULL || port == host)
        return "not ADDRESS:PORT";
    *port++ = '\0';
    if (host[0] == '[' && port[-2] == ']') {
        port[-2] = '\0';
        host++;
    }
    const bool ipv6 = strchr(host, ':') != NULL;
    size_t at = text_append(address, sizeof(address), 0, ipv6 ? "[" : "");
    at = text_append(address, sizeof(address), at, host);
    at = text_append(address, sizeof(address), at, ipv6 ? "]:" : ":");
    at = text_append(address, sizeof(address), at, port);
    at = text_append(address, sizeof(address), at, interface[0] != '\0' ? "%" : "");
    text_append(address, sizeof(address), at, interface);
    return config_set_plain(&state->config, "listen", address);
}

static const char *take_bind(struct directives *state, const struct directive *directive, char *const *words)
{
    (void)directive;
    return directive_wrong(state, 1, directive_set_listener(state, words[1], ""));
}

static const char *take_bind_interface(struct directives *state, const struct directive *directive,
                                       char *const *words)
{
    (void)directive;
    return directive_wrong(state, 1, directive_set_listener(state, words[1], words[3]));
}

static uint8_t identity_of(const char *header)
{
    uint8_t identity = IDENTITY_OVN_ROUTER;

    while (identity != IDENTITY_NONE && strcmp(header, identity_header_name(identity)) != 0)
        identity--;
    return identity;
}

/* metaward never lets a guest's identity header through, so there is nothing to do. */
static const char *take_del_header(struct directives *state, const struct directive *directive,
                                   char *const *words)
{
    (void)directive;
    return identity_of(words[2]) != IDENTITY_NONE ? NULL
                                                  : directive_wrong(state, 2, "not an identity header");
}

static const char *take_identity(struct directives *state, const struct directive *directive,
                                 char *const *words)
{
    const uint8_t identity = identity_of(words[2]);
    const bool network = identity == IDENTITY_NEUTRON_NETWORK || identity == IDENTITY_OVN_NETWORK;

    (void)directive;
    if (identity == IDENTITY_NONE)
        return directive_wrong(state, 2, "not an identity header");
    if (state->config.given_network + state->config.given_router > 0)
        return directive_wrong(state, 2, "a second identity");
    state->config.ovn = identity == IDENTITY_OVN_NETWORK || identity == IDENTITY_OVN_ROUTER;
    return directive_wrong(state, 3,
                           config_set_plain(&state->config, network ? "network_id" : "router_id", words[3]));
}

#define TIMEOUT(name, field)                                                                                 \
    {                                                                                                        \
        SECTION_DEFAULTS, false, "timeout " name " *", directive_take_timeout,                               \
        {                                                                                                    \
            .key = "timeout_" field                                                                          \
        }                                                                                                    \
    }
#define TABLE(type, section, number)                                                                         \
    {                                                                                                        \
        section, false, "stick-table type " type " size 10k expire * store *", take_table,                   \
        {                                                                                                    \
            .rate = (number)                                                                                 \
        }                                                                                                    \
    }

static const struct directive table[] = {
    {SECTION_ANY, false, "global", take_section, {.enters = SECTION_GLOBAL}},
    {SECTION_ANY, false, "defaults", take_section, {.enters = SECTION_DEFAULTS}},
    {SECTION_ANY, false, "backend base_rate_limiter", take_section, {.enters = SECTION_BASE}},
    {SECTION_ANY, false, "backend burst_rate_limiter", take_section, {.enters = SECTION_BURST}},
    {SECTION_ANY, false, "listen listener", take_section, {.enters = SECTION_LISTEN}},
    {SECTION_ANY, false, "frontend public", take_section, {.enters = SECTION_FRONTEND}},
    {SECTION_ANY, true, "backend *", hostproxy_take_backend, {.enters = SECTION_BACKEND}},

    {SECTION_GLOBAL, false, "log * * *", take_log, {.key = NULL}},
    {SECTION_GLOBAL, false, "log-tag *", take_log_tag, {.key = NULL}},
    {SECTION_GLOBAL, false, "user *", take_key, {.key = "user"}},
    {SECTION_GLOBAL, false, "group *", take_key, {.key = "group"}},
    {SECTION_GLOBAL, false, "maxconn *", take_key, {.key = "max_connections"}},
    {SECTION_GLOBAL, false, "nbthread *", directive_take_number, {.key = NULL}},
    {SECTION_GLOBAL, false, "pidfile *", take_pidfile, {.key = "pid_file"}},
    {SECTION_GLOBAL, false, "daemon", take_daemon, {.key = "daemonize"}},

    {SECTION_DEFAULTS, false, "log global", directive_take_log_global, {.key = NULL}},
    {SECTION_DEFAULTS, false, "mode http", directive_take_nothing, {.key = NULL}},
    {SECTION_DEFAULTS, false, "option httplog", directive_take_nothing, {.key = NULL}},
    {SECTION_DEFAULTS, false, "option dontlognull", directive_take_nothing, {.key = NULL}},
    {SECTION_DEFAULTS, false, "option http-server-close", directive_take_nothing, {.key = NULL}},
    {SECTION_DEFAULTS, false, "option forwardfor", directive_take_nothing, {.key = NULL}},
    {SECTION_DEFAULTS, false, "retries *", directive_take_number, {.key = NULL}},
    TIMEOUT("http-request", "http_request"),
    TIMEOUT("connect", "connect"),
    TIMEOUT("client", "client"),
    TIMEOUT("server", "server"),
    TIMEOUT("http-keep-alive", "http_keep_alive"),

    TABLE("ip", SECTION_BASE, 0),
    TABLE("ipv6", SECTION_BASE, 0),
    TABLE("ip", SECTION_BURST, 1),
    TABLE("ipv6", SECTION_BURST, 1),

    {SECTION_LISTEN, true, "bind *", take_bind, {.key = NULL}},
    {SECTION_LISTEN, true, "bind * interface *", take_bind_interface, {.key = NULL}},
    {SECTION_LISTEN, false, "server * *", take_server, {.key = "metadata_proxy_socket"}},
    {SECTION_LISTEN, false, "http-request track-sc0 src table *", take_track, {.rate = 0}},
    {SECTION_LISTEN, false, "http-request track-sc1 src table *", take_track, {.rate = 1}},
    {SECTION_LISTEN, true, "http-request deny deny_status 429 if { * gt * }", take_deny, {.key = NULL}},
    {SECTION_LISTEN, true, "http-request del-header *", take_del_header, {.key = NULL}},
    {SECTION_LISTEN, true, "http-request set-header * *", take_identity, {.key = NULL}},
    {SECTION_LISTEN, true, "http-request add-header * *", take_identity, {.key = NULL}},
};

#define DIRECTIVES (sizeof(table) / sizeof(table[0]))
_Static_assert(DIRECTIVES <= 64, "one bit of directives.seen for each");

/* How many words are as the pattern has them, from the first; *whole: all, and the pattern ends there. */
static unsigned fitting(const char *pattern, const struct words *words, bool *whole)
{
    unsigned number = 0;

    *whole = false;
    while (number < words->count && *pattern != '\0') {
        const char *word = words->word[number];
        const size_t length = strcspn(pattern, " ");
        if (*pattern != '*' && (strlen(word) != length || memcmp(word, pattern, length) != 0))
            return number;
        pattern += length + (pattern[length] == ' ');
        number++;
    }
    *whole = number == words->count && *pattern == '\0';
    return number;
}

/* The entry for a line; NULL, and in *fits how far the best one got. */
static const struct directive *find(const struct directive *entries, size_t count, enum section section,
                                    const struct words *words, unsigned *fits)
{
    for (size_t i = 0; i < count; i++) {
        bool whole;
        if (entries[i].section != section && entries[i].section != SECTION_ANY)
            continue;
        const unsigned number = fitting(entries[i].pattern, words, &whole);
        if (whole)
            return &entries[i];
        if (number > *fits)
            *fits = number;
    }
    return NULL;
}

/* Take a line by its entry, whose bit in `seen` says whether it was there before. */
static const char *take(struct directives *state, const struct directive *directive, uint64_t *seen,
                        uint64_t bit, const struct words *words)
{
    if (!directive->repeated && (*seen & bit) != 0)
        return directive_wrong(state, 0, "given twice");
    *seen |= bit;
    state->wrong = 0;
    return directive->take(state, directive, words->word);
}

const char *directive_take(struct directives *state, const struct words *words)
{
    unsigned fits = 0;
    const struct directive *directive = find(table, DIRECTIVES, state->section, words, &fits);

    if (directive != NULL)
        return take(state, directive, &state->seen, UINT64_C(1) << (directive - table), words);
    directive = find(hostproxy_table, HOSTPROXY_DIRECTIVES, state->section, words, &fits);
    if (directive != NULL)
        return take(state, directive, hostproxy_seen(state->section),
                    UINT64_C(1) << (directive - hostproxy_table), words);
    if (fits == words->count)
        return directive_wrong(state, fits - 1, "something is missing behind it");
    return directive_wrong(state, fits,
                           fits == 0 ? "not a directive of this section" : "not known in this place");
}

/* Was a line with this pattern there? */
static bool was_seen(const struct directives *state, const char *pattern)
{
    size_t i = 0;

    while (i < DIRECTIVES && strcmp(table[i].pattern, pattern) != 0)
        i++;
    return i < DIRECTIVES && (state->seen >> i & 1) != 0;
}

static const char *network_missing(const struct directives *state)
{
    if (!was_seen(state, "mode http"))
        return "there is no 'mode http'";
    if (state->config.listener_count == 0)
        return "there is no 'bind'";
    if (state->config.backend[0] == '\0')
        return "there is no 'server'";
    if (state->config.given_network + state->config.given_router == 0)
        return "there is no identity header";
    for (unsigned i = 0; i < NETWORK_RATES; i++) {
        if (state->rates[i] != 0 && state->rates[i] != RATE_WHOLE)
            return "a rate limit is not whole: it needs its stick-table, track and deny";
    }
    if (state->rates[0] == 0 && state->rates[1] != 0)
        return "there is a burst_rate_limiter without a base_rate_limiter";
    return NULL;
}

const char *directive_missing(struct directives *state, struct place *at)
{
    *at = (struct place){0, NULL};
    return state->served == SERVED_HOST ? hostproxy_missing(state, at) : network_missing(state);
}
