/*
 * The directives of a host's proxy, and the guests that they make. See hostproxy.h.
 *
 * Names and values stay where they are in the file's text. An acl, a use_backend and a backend are entries of
 * three tables, found by name; what each needs of the others is looked up once, so the work is in proportion
 * to the file.
 */
#include "unpriv/reader/hostproxy.h"

#include "ipc/text.h"
#include "unpriv/reader/names.h"

#include <string.h>

#define NAME_MOST      127 /* bytes of the name of an acl or backend; Neutron's have about 60 */
#define IP_KEY         17  /* bytes of a family and an address in struct address_key */
#define NO_SERVER_PORT 1   /* of a file without a guest */
#define TOO_MANY       "more than 16384 guests"
#define NOT_A_NAME     "not a name of letters, digits, '.', '_' and '-', or too long"

/* The values that each guest's backend must name. */
enum value { VALUE_ID, VALUE_TENANT, VALUE_SIGNATURE, VALUE_COUNT };

/* The times that count in a backend; all must have the same. */
enum backend_time { TIME_CONNECT, TIME_SERVER, TIME_COUNT };

struct guest {
    uint8_t ip_key[IP_KEY]; /* family and address */
    uint32_t line;          /* of the acl */
    uint32_t use_line;      /* of the use_backend; 0: none yet */
    char *backend;          /* its name */
    uint32_t number;        /* of the backend, once all are known */
};

struct backend {
    uint32_t line;
    bool http;   /* `mode http` */
    bool server; /* there is one, the same as in all others */
    bool used;   /* by a use_backend */
    const char *values[VALUE_COUNT];
};

/* Only the first members of a table are touched where a file has no guests. */
static struct {
    uint64_t frontend_seen, backend_seen;
    uint32_t frontend_most; /* connections, 0: not said */
    bool http;              /* `mode http` in the frontend */
    const char *server;
    uint32_t times[TIME_COUNT]; /* milliseconds; 0: not said */
    struct names acls, addresses, backends;
    struct guest guests[NAMES_MOST]; /* in the order of `acls` and `addresses` */
    struct backend backend[NAMES_MOST];
} host;

static struct backend *current(void)
{
    return &host.backend[host.backends.count - 1];
}

void hostproxy_begin(void)
{
    host.frontend_seen = host.backend_seen = 0;
    host.frontend_most = 0;
    host.http = false;
    host.server = NULL;
    memset(host.times, 0, sizeof(host.times));
    names_begin(&host.acls);
    names_begin(&host.addresses);
    names_begin(&host.backends);
}

/* Of an acl or a backend: an instance's id and its address, as Neutron names them. */
static bool is_name(const char *name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-";
    const size_t length = strlen(name);

    return length <= NAME_MOST && strspn(name, good) == length;
}

uint64_t *hostproxy_seen(enum section section)
{
    return section == SECTION_BACKEND ? &host.backend_seen : &host.frontend_seen;
}

const char *hostproxy_take_backend(struct directives *state, const struct directive *directive,
                                   char *const *words)
{
    const char *name = words[1];
    const char *mixed = directive_mixed(state, SERVED_HOST);

    if (mixed != NULL)
        return directive_wrong(state, 0, mixed);
    if (!is_name(name))
        return directive_wrong(state, 1, NOT_A_NAME);
    if (names_find(&host.backends, name, strlen(name)) != NAMES_NONE)
        return directive_wrong(state, 1, "given twice");
    if (names_add(&host.backends, name, strlen(name)) == NAMES_NONE)
        return directive_wrong(state, 1, TOO_MANY);
    *current() = (struct backend){.line = state->line};
    host.backend_seen = 0;
    state->section = directive->is.enters;
    return NULL;
}

static const char *take_http(struct directives *state, const struct directive *directive, char *const *words)
{
    (void)words;
    if (directive->section == SECTION_BACKEND)
        current()->http = true;
    else
        host.http = true;
    state->wrong = 0;
    return NULL;
}

/* `*` is every IPv4 address. */
static const char *take_bind(struct directives *state, const struct directive *directive, char *const *words)
{
    char address[ADDRESS_TEXT_SIZE];

    (void)directive;
    if (words[1][0] != '*')
        return directive_wrong(state, 1, directive_set_listener(state, words[1], ""));
    const size_t at = text_append(address, sizeof(address), 0, "0.0.0.0");
    text_append(address, sizeof(address), at, words[1] + 1);
    return directive_wrong(state, 1, directive_set_listener(state, address, ""));
}

/* The smaller one of this and the one in `global` holds, wherever that stands. */
static const char *take_most(struct directives *state, const struct directive *directive, char *const *words)
{
    (void)directive;
    return text_number(words[1], 1, UINT16_MAX, &host.frontend_most)
               ? NULL
               : directive_wrong(state, 1, "not a whole number in its range");
}

static const char *take_path(struct directives *state, const struct directive *directive, char *const *words)
{
    const bool monitor = strcmp(words[0], "monitor-uri") == 0;
    struct settings *settings = &state->config.worker;
    const unsigned word = monitor ? 1 : 2;

    (void)directive;
    if (!settings_own_path_valid(words[word]))
        return directive_wrong(state, word,
                               "not an absolute path, or with '?', '#', '.', '..' or '//' in it");
    text_store(monitor ? settings->monitor_path : settings->stats_path, SETTINGS_OWN_PATH_SIZE, words[word]);
    if (strcmp(settings->monitor_path, settings->stats_path) == 0)
        return directive_wrong(state, word, "the same path as for the monitor");
    return NULL;
}

static const char *take_acl(struct directives *state, const struct directive *directive, char *const *words)
{
    const char *name = words[1];
    struct address address;

    (void)directive;
    if (!is_name(name))
        return directive_wrong(state, 1, NOT_A_NAME);
    if (names_find(&host.acls, name, strlen(name)) != NAMES_NONE)
        return directive_wrong(state, 1, "given twice");
    const char *wrong = address_parse_ip(words[3], &address);
    if (wrong != NULL)
        return directive_wrong(state, 3, wrong);
    const uint32_t number = names_add(&host.acls, name, strlen(name));
    if (number == NAMES_NONE)
        return directive_wrong(state, 1, TOO_MANY);
    struct guest *guest = &host.guests[number];
    *guest = (struct guest){.line = state->line};
    guest->ip_key[0] = address.family;
    memcpy(guest->ip_key + 1, address.ip, sizeof(address.ip));
    if (names_find(&host.addresses, guest->ip_key, IP_KEY) != NAMES_NONE)
        return directive_wrong(state, 3, "a guest's address that was given before");
    names_add(&host.addresses, guest->ip_key, IP_KEY);
    return NULL;
}

static const char *take_use(struct directives *state, const struct directive *directive, char *const *words)
{
    const uint32_t number = names_find(&host.acls, words[3], strlen(words[3]));

    (void)directive;
    if (number == NAMES_NONE)
        return directive_wrong(state, 3, "no such acl");
    struct guest *guest = &host.guests[number];
    if (guest->use_line != 0)
        return directive_wrong(state, 3, "a second backend for this acl");
    guest->use_line = state->line;
    guest->backend = words[1];
    return NULL;
}

/* Without effect: it is the frontend's time for requests, and the backends' for the server, that count. */
static const char *take_time(struct directives *state, const struct directive *directive, char *const *words)
{
    uint32_t given;

    (void)directive;
    return directive_read_time(words[2], &given)
               ? NULL
               : directive_wrong(state, 2, "not a time, as 30s, 500ms or 2m");
}

static const char *take_backend_time(struct directives *state, const struct directive *directive,
                                     char *const *words)
{
    const bool connect = strcmp(words[1], "connect") == 0;
    uint32_t *common = &host.times[connect ? TIME_CONNECT : TIME_SERVER];
    const char *wrong = directive_take_timeout(state, directive, words);
    const uint32_t now = connect ? state->config.worker.timeout_connect : state->config.worker.timeout_server;

    if (wrong == NULL && *common != 0 && *common != now)
        wrong = directive_wrong(state, 2, "another time than in the backends before it");
    *common = now;
    return wrong;
}

static const char *take_value(struct directives *state, const struct directive *directive, char *const *words)
{
    static const char *const wrong[VALUE_COUNT] = {[VALUE_ID] = "not a UUID",
                                                   [VALUE_TENANT] = "not the id of a project",
                                                   [VALUE_SIGNATURE] = "not 1 to 64 hexadecimal digits"};
    const enum value value = (enum value)directive->is.rate;
    const char *text = words[3];
    const bool good = value == VALUE_ID       ? text_is_uuid(text, strlen(text))
                      : value == VALUE_TENANT ? instance_tenant_valid(text)
                                              : instance_signature_valid(text);

    if (!good)
        return directive_wrong(state, 3, wrong[value]);
    current()->values[value] = text;
    return NULL;
}

/* The last colon is the port's, with and without brackets around an IPv6 address. */
static const char *set_server(struct directives *state, const char *word)
{
    char name[ENDPOINT_HOST_SIZE];
    const char *colon = strrchr(word, ':');
    uint32_t port;

    if (colon == NULL || !text_number(colon + 1, 1, UINT16_MAX, &port))
        return "not HOST:PORT";
    const bool bracketed = word[0] == '[' && colon[-1] == ']';
    const size_t length = (size_t)(colon - word) - (bracketed ? 2 : 0);
    if (length >= sizeof(name))
        return "too long for the name of a host";
    memcpy(name, word + bracketed, length);
    name[length] = '\0';
    return config_set_agent(&state->config, name, port);
}

static const char *take_server(struct directives *state, const struct directive *directive,
                               char *const *words)
{
    (void)directive;
    if (!text_is_name(words[1], CONFIG_NAME_SIZE - 1))
        return directive_wrong(state, 1, "not a server's name");
    current()->server = true;
    if (host.server != NULL)
        return strcmp(host.server, words[2]) == 0
                   ? NULL
                   : directive_wrong(state, 2, "another server than in the backends before it");
    host.server = words[2];
    return directive_wrong(state, 2, set_server(state, words[2]));
}

#define FRONTEND(pattern, taker)                                                                             \
    {                                                                                                        \
        SECTION_FRONTEND, false, pattern, taker,                                                             \
        {                                                                                                    \
            .key = NULL                                                                                      \
        }                                                                                                    \
    }
#define FRONTEND_TIME(name, field)                                                                           \
    {                                                                                                        \
        SECTION_FRONTEND, false, "timeout " name " *", directive_take_timeout,                               \
        {                                                                                                    \
            .key = "timeout_" field                                                                          \
        }                                                                                                    \
    }
#define BACKEND(pattern, taker)                                                                              \
    {                                                                                                        \
        SECTION_BACKEND, false, pattern, taker,                                                              \
        {                                                                                                    \
            .key = NULL                                                                                      \
        }                                                                                                    \
    }
#define BACKEND_TIME(name)                                                                                   \
    {                                                                                                        \
        SECTION_BACKEND, false, "timeout " name " *", take_backend_time,                                     \
        {                                                                                                    \
            .key = "timeout_" name                                                                           \
        }                                                                                                    \
    }
#define VALUE(header, number)                                                                                \
    {                                                                                                        \
        SECTION_BACKEND, false, "http-request set-header " header " *", take_value,                          \
        {                                                                                                    \
            .rate = (number)                                                                                 \
        }                                                                                                    \
    }

const struct directive hostproxy_table[HOSTPROXY_DIRECTIVES] = {
    FRONTEND("bind * name clear", take_bind),
    FRONTEND("mode http", take_http),
    FRONTEND("log global", directive_take_log_global),
    FRONTEND("option httplog", directive_take_nothing),
    FRONTEND("option dontlognull", directive_take_nothing),
    FRONTEND("option http-server-close", directive_take_nothing),
    FRONTEND("option forwardfor", directive_take_nothing),
    FRONTEND("maxconn *", take_most),
    FRONTEND_TIME("http-request", "http_request"),
    FRONTEND_TIME("client", "client"),
    FRONTEND_TIME("http-keep-alive", "http_keep_alive"),
    FRONTEND("timeout connect *", take_time),
    FRONTEND("timeout server *", take_time),
    FRONTEND("monitor-uri *", take_path),
    FRONTEND("stats uri *", take_path),
    {SECTION_FRONTEND, true, "acl * src *", take_acl, {.key = NULL}},
    {SECTION_FRONTEND, true, "use_backend * if *", take_use, {.key = NULL}},

    BACKEND("mode http", take_http),
    BACKEND("balance roundrobin", directive_take_nothing),
    BACKEND("retries *", directive_take_number),
    BACKEND("option redispatch", directive_take_nothing),
    BACKEND("timeout http-request *", take_time),
    BACKEND_TIME("connect"),
    BACKEND_TIME("server"),
    VALUE(INSTANCE_ID_HEADER, VALUE_ID),
    VALUE(INSTANCE_TENANT_HEADER, VALUE_TENANT),
    VALUE(INSTANCE_SIGNATURE_HEADER, VALUE_SIGNATURE),
    BACKEND("server * *", take_server),
};

/* Find each guest's backend. @return NULL, or what is wrong at `at` */
static const char *join(struct place *at)
{
    for (uint32_t i = 0; i < host.acls.count; i++) {
        struct guest *guest = &host.guests[i];

        *at = (struct place){guest->line, host.acls.name[i].bytes};
        if (guest->use_line == 0)
            return "there is no 'use_backend' for this acl";
        *at = (struct place){guest->use_line, guest->backend};
        guest->number = names_find(&host.backends, guest->backend, strlen(guest->backend));
        if (guest->number == NAMES_NONE)
            return "no such backend";
        if (host.backend[guest->number].used)
            return "a backend that another guest has";
        host.backend[guest->number].used = true;
    }
    return NULL;
}

static const char *missing_in(const struct backend *backend)
{
    if (!backend->http)
        return "there is no 'mode http' in this backend";
    if (backend->values[VALUE_ID] == NULL)
        return "there is no " INSTANCE_ID_HEADER " in this backend";
    if (backend->values[VALUE_TENANT] == NULL)
        return "there is no " INSTANCE_TENANT_HEADER " in this backend";
    if (backend->values[VALUE_SIGNATURE] == NULL)
        return "there is no " INSTANCE_SIGNATURE_HEADER " in this backend";
    if (!backend->server)
        return "there is no 'server' in this backend";
    return backend->used ? NULL : "a backend that no 'use_backend' names";
}

const char *hostproxy_missing(struct directives *state, struct place *at)
{
    uint32_t *most = &state->config.worker.max_connections;

    if (state->config.listener_count == 0)
        return "there is no 'bind'";
    if (!host.http)
        return "there is no 'mode http'";
    const char *wrong = join(at);
    for (uint32_t i = 0; wrong == NULL && i < host.backends.count; i++) {
        *at = (struct place){host.backend[i].line, host.backends.name[i].bytes};
        wrong = missing_in(&host.backend[i]);
    }
    if (host.server == NULL) /* nobody asks it, and nobody listens there */
        (void)config_set_agent(&state->config, "127.0.0.1", NO_SERVER_PORT);
    if (host.frontend_most != 0 && host.frontend_most < *most)
        *most = host.frontend_most;
    state->config.host_proxy = 1;
    return wrong;
}

uint32_t hostproxy_count(void)
{
    return host.acls.count;
}

void hostproxy_instance(uint32_t number, struct instance *out)
{
    const struct guest *guest = &host.guests[number];
    const char *const *values = host.backend[guest->number].values;

    memset(out, 0, sizeof(*out));
    out->family = guest->ip_key[0];
    memcpy(out->ip, guest->ip_key + 1, sizeof(out->ip));
    text_store(out->id, sizeof(out->id), values[VALUE_ID]);
    text_store(out->tenant, sizeof(out->tenant), values[VALUE_TENANT]);
    text_store(out->signature, sizeof(out->signature), values[VALUE_SIGNATURE]);
}
