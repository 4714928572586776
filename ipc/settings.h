/*
 * Everything the worker has to know that is the same for all networks that it serves, as one fixed-size
 * structure that travels in a message.
 *
 * The parent fills it from its command line (config.h), the worker copies it once, validates it and sizes its
 * memory by it. Both sides use the same settings_valid(). What distinguishes the networks is in network.h.
 * Strings are zero-filled arrays; unused and reserved bytes are zero.
 */
#ifndef METAWARD_IPC_SETTINGS_H
#define METAWARD_IPC_SETTINGS_H

#include "ipc/network.h"

#define SETTINGS_FORWARD_MAX   16
#define SETTINGS_FORWARD_SIZE  48  /* a header name of at most 47 bytes */
#define SETTINGS_PATH_SIZE     108 /* sizeof(sun_path) */
#define SETTINGS_OWN_PATH_SIZE 64  /* of a path that the worker answers itself */

enum log_target { LOG_TO_NONE = 0, LOG_TO_SYSLOG, LOG_TO_STDERR, LOG_TO_COUNT };

/* How much is logged: everything, or only what was refused or failed. */
enum log_level { LOG_LEVEL_REQUESTS = 0, LOG_LEVEL_EVENTS, LOG_LEVEL_COUNT };

#define LOG_FACILITY_DAEMON 3  /* RFC 3164 section 4.1.1 */
#define LOG_FACILITY_MOST   23 /* local7 */

/* Methods that can be forwarded, as bits of settings.methods (bit number = enum http_method in unpriv/http/).
 */
#define SETTINGS_METHODS_ALL    0x7FU
#define SETTINGS_METHODS_ALWAYS 0x03U /* GET and HEAD: RFC 9110 section 9.1 */

/*
 * Room in a request towards the agent for all but the request line and the body: the identity headers, Host,
 * Connection and Content-Length. max_request_line and max_body must leave that much of max_upstream_request.
 */
#define SETTINGS_HEAD_RESERVE 256U

/* Every number with its range; the command line's table and settings_valid() are made from this one list. */
#define METAWARD_LIMITS(LIMIT)                                                                               \
    /* field, default, least, most, meaning */                                                               \
    LIMIT(max_connections, 1024, 1, 16384, "guests' connections at one time")                                \
    LIMIT(max_connections_per_source, 64, 1, 16384, "connections served at one time for one guest address")  \
    LIMIT(max_in_flight, 256, 1, 1024, "requests at the agent at one time")                                  \
    LIMIT(max_in_flight_per_source, 8, 1, 1024, "requests at the agent at one time from one guest address")  \
    LIMIT(max_request_line, 2048, 64, 16384, "bytes of a request line")                                      \
    LIMIT(max_head, 8192, 256, 32768, "bytes of a request head")                                             \
    LIMIT(max_fields, 64, 1, 128, "header fields of a request")                                              \
    LIMIT(max_body, 3072, 0, 65536, "bytes of a request body")                                               \
    LIMIT(max_upstream_request, 4096, 512, 131072, "bytes of a request towards the agent, head and body")

/* How much one worker serves. These are no keys of a single network's command line: that has one network, and
 * as many listeners as its configuration can name. */
#define METAWARD_TABLES(TABLE)                                                                               \
    /* field, default, least, most, meaning */                                                               \
    TABLE(max_networks, 1, 1, 16384, "networks at one time")                                                 \
    TABLE(max_listeners, 16, 1, 16384, "listeners of all networks at one time")

#define METAWARD_TIMEOUTS(TIMEOUT)                                                                           \
    /* field, default, least, most (milliseconds), meaning */                                                \
    TIMEOUT(timeout_http_request, 30000, 100, 3600000, "for a whole request head, and again for its body")   \
    TIMEOUT(timeout_http_keep_alive, 30000, 100, 3600000, "idle between two requests")                       \
    TIMEOUT(timeout_client, 30000, 100, 3600000, "for a guest to take more of its answer")                   \
    TIMEOUT(timeout_connect, 30000, 100, 3600000, "in the queue and until the agent accepts")                \
    TIMEOUT(timeout_server, 30000, 100, 3600000, "for the agent to send more of its answer")

struct settings {
    uint8_t log_target;     /* enum log_target */
    uint8_t log_level;      /* enum log_level */
    uint8_t forward_all;    /* 1: every header but the protected and hop-by-hop ones; 0: the list below */
    uint8_t forward_count;  /* entries used in forward; 0 with forward_all */
    uint8_t methods;        /* bits, SETTINGS_METHODS_ALL at most, SETTINGS_METHODS_ALWAYS among them */
    uint8_t log_facility;   /* as syslog numbers them, LOG_FACILITY_MOST at most */
    uint8_t upstream_reuse; /* 1: a connection to the agent may serve more than one request of its network */
    uint8_t reserved;
    int32_t utc_offset; /* seconds east of UTC for the time in log lines, -50400 to 50400 */
#define FIELD(name, standard, least, most, meaning) uint32_t name;
    METAWARD_LIMITS(FIELD)
    METAWARD_TABLES(FIELD)
    METAWARD_TIMEOUTS(FIELD)
#undef FIELD
    char backend[SETTINGS_PATH_SIZE]; /* the agent's socket as the worker's root shows it, "/" and a name; or
                                         its address over TCP, ADDR:PORT, which the dialer connects to */
    uint32_t max_instances;           /* guests known by records of their own; 0: none ever is */
    char monitor_path[SETTINGS_OWN_PATH_SIZE]; /* answered 200 by the worker itself; empty: none */
    char stats_path[SETTINGS_OWN_PATH_SIZE];   /* refused, with all below it; empty: none */
    char forward[SETTINGS_FORWARD_MAX][SETTINGS_FORWARD_SIZE]; /* lower case, none protected or hop-by-hop */
    char log_tag[NETWORK_TAG_SIZE]; /* under which lines are logged that concern no network in particular */
};

/** Fill in every default: limits, time-outs, methods, the standard forward list, the log's tag. backend stays
 * empty. */
void settings_default(struct settings *settings);

/**
 * May the text be a path that the worker answers itself? An absolute path below the root, shorter than
 * SETTINGS_OWN_PATH_SIZE, without '?' and '#', and as text_is_path() has it.
 */
bool settings_own_path_valid(const char *path);

/**
 * Check a whole structure, as it came from a message.
 *
 * @return NULL where it is good, else a constant string naming the first field that is not
 */
const char *settings_valid(const struct settings *settings);

/** Is the agent reached over TCP, by the dialer? */
static inline bool settings_dialed(const struct settings *settings)
{
    return settings->backend[0] != '/';
}

/** Read a facility's name ("kern" to "local7", as RFC 3164 numbers them). @return false where it is none */
bool log_facility_read(const char *name, uint8_t *facility);

/** The most descriptors that a worker with these settings can ever hold: RLIMIT_NOFILE of nursery and worker.
 */
static inline uint32_t settings_descriptors(const struct settings *settings)
{
    const uint32_t own = 31; /* channel, log, epoll, what Landlock and the filter's export use, REPORT_FD */
    return own + settings->max_listeners + settings->max_connections + settings->max_in_flight;
}

/**
 * Is the header one that only the proxy or the agents may set, or one that belongs to a single hop?
 *
 * The comparison takes '_' for '-' and ignores case, because agents built on WSGI see no difference.
 * Protected: X-Forwarded-For, -Host, -Proto, -Port, -Server; Forwarded; Via; X-Real-IP; X-Client-IP;
 * X-Neutron-*; X-OVN-*; X-Instance-ID, X-Instance-ID-Signature, X-Tenant-ID, X-Project-ID;
 * X-Metadata-Provider, X-Metadata-Provider-Signature.
 */
bool header_is_protected(const char *name, size_t length);

/**
 * Does the header belong to one hop (RFC 9110 section 7.6.1), or does the proxy write or answer it itself?
 *
 * Connection, Keep-Alive, Proxy-Connection, Proxy-Authenticate, Proxy-Authorization, TE, Trailer,
 * Transfer-Encoding, Upgrade, HTTP2-Settings; Content-Length, Host, Expect. Compares as header_is_protected()
 * does.
 */
bool header_is_hop_by_hop(const char *name, size_t length);

#endif
