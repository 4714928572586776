/*
 * What the host daemon's control socket speaks: one request, and the records that answer it.
 *
 * SOCK_SEQPACKET; every request and every reply is one structure of fixed size, like the messages between the
 * daemon's own processes (message.h), and what a type does not use is zero. A request is answered by any
 * number of records and then one CONTROL_OK or CONTROL_ERROR; the next request is read after that. Who may
 * ask what, when, how often and with how many descriptors is one table; the daemon, metawardctl and the
 * fuzzer use the same functions over it.
 *
 * The daemon ends the connection of a peer that sends a request that is not valid. A valid one that can't be
 * met is answered with CONTROL_ERROR, one that comes too often waits until its second is over.
 */
#ifndef METAWARD_IPC_CONTROL_H
#define METAWARD_IPC_CONTROL_H

#include "ipc/counters.h"
#include "ipc/network_spec.h"
#include "ipc/network_state.h"
#include "ipc/packet.h"

#define CONTROL_VERSION      1
#define CONTROL_DEFAULT_PATH "/run/metaward/control"
#define CONTROL_REASON_SIZE  192
#define CONTROL_FILE_SIZE    64

enum control_request_type {
    CONTROL_NONE = 0,
    CONTROL_ADD,     /* .spec; with a descriptor of the network namespace, or the spec names it */
    CONTROL_REMOVE,  /* .uuid */
    CONTROL_LIST,    /* answered by a CONTROL_NETWORK for each */
    CONTROL_SHOW,    /* .uuid: a CONTROL_NETWORK and a CONTROL_COUNTERS */
    CONTROL_STATS,   /* a CONTROL_COUNTERS for each network that is counted */
    CONTROL_HEALTH,  /* a CONTROL_DAEMON, and a CONTROL_WORKER for each */
    CONTROL_DRAIN,   /* .uuid: of that network; empty: of all, and then the daemon ends */
    CONTROL_RELOAD,  /* begun with the answer; over when `loads` of CONTROL_DAEMON has grown */
    CONTROL_LEASE,   /* .spec, with a descriptor of the namespace: served as long as the connection is there;
                        the  connection is for nothing else from then on */
    CONTROL_UPGRADE, /* begun with the answer; over when `upgrading` of CONTROL_DAEMON is 0 or another daemon
                        answers */
    CONTROL_REQUEST_COUNT
};

enum control_reply_type {
    CONTROL_REPLY_NONE = 0,
    CONTROL_OK,    /* the end of an answer */
    CONTROL_ERROR, /* the same: .code and .reason */
    CONTROL_NETWORK,
    CONTROL_COUNTERS,
    CONTROL_WORKER,
    CONTROL_DAEMON,
    CONTROL_REPLY_COUNT
};

/* Why a valid request was not met. */
enum control_code {
    CONTROL_FINE = 0,
    CONTROL_UNKNOWN, /* there is no such network */
    CONTROL_DENIED,  /* the peer may not ask that */
    CONTROL_NOT_NOW, /* the daemon is going down, or busy with the same */
    CONTROL_REFUSED, /* the reason says why */
    CONTROL_LATER,   /* an upgrade is going on: connect anew, and the successor answers */
    CONTROL_CODE_COUNT
};

/* Who asks, by SO_PEERCRED; one bit each. */
enum control_peer {
    CONTROL_BY_ROOT = 1 << 0,  /* user 0 */
    CONTROL_BY_GROUP = 1 << 1, /* a member of the control group */
};

/* What the daemon is doing; one bit each. */
enum control_phase {
    CONTROL_SERVING = 1 << 0,
    CONTROL_ENDING = 1 << 1,    /* it finishes what is in flight */
    CONTROL_UPGRADING = 1 << 2, /* it hands over to its successor, and must change nothing meanwhile */
};

/* Which part of `body` a request uses. */
enum control_body { CONTROL_NO_BODY = 0, CONTROL_SPEC, CONTROL_UUID, CONTROL_UUID_OR_NONE };

struct control_rule {
    uint8_t peers;       /* enum control_peer */
    uint8_t phases;      /* enum control_phase */
    uint8_t body;        /* enum control_body */
    uint8_t descriptors; /* at most */
    uint32_t per_second; /* of one connection; those beyond wait */
};

struct control_request {
    uint16_t version; /* CONTROL_VERSION */
    uint16_t type;    /* enum control_request_type */
    uint32_t reserved;
    union {
        struct network_spec spec;
        char uuid[NETWORK_UUID_SIZE];
    } body;
};

struct control_network {
    struct network_spec
        spec;       /* all zero for a file that describes no network; then `file` and `error` tell */
    uint8_t state;  /* enum network_state */
    uint8_t origin; /* enum network_origin */
    uint8_t reserved[2];
    uint32_t worker; /* the slot of its worker */
    uint64_t age_ms; /* in this state */
    char file[CONTROL_FILE_SIZE];
    char error[CONTROL_REASON_SIZE]; /* what it waits for, or why it failed */
};

struct control_worker {
    uint32_t slot;
    uint32_t pid; /* 0: none now */
    uint32_t networks;
    uint32_t failures; /* workers in a row that did not last */
    uint64_t age_ms;   /* since it was started */
    uint8_t serving;
    uint8_t reserved[7];
};

struct control_daemon {
    char version[16];
    uint32_t pid;
    uint32_t networks[NETWORK_STATE_COUNT];
    uint32_t loads;   /* how often the configuration was loaded, well or not */
    uint64_t age_ms;  /* since its start */
    uint8_t draining; /* CONTROL_ENDING */
    uint8_t reloading;
    uint8_t upgrading; /* a successor is starting */
    uint8_t reserved[5];
    char error[CONTROL_REASON_SIZE];         /* of the last load; empty: it was good */
    char upgrade_error[CONTROL_REASON_SIZE]; /* of the last upgrade, which failed; empty: there was none */
};

struct control_reply {
    uint16_t version; /* CONTROL_VERSION */
    uint16_t type;    /* enum control_reply_type */
    uint16_t code;    /* enum control_code */
    uint16_t reserved;
    union {
        struct control_network network;
        struct counters counters;
        struct control_worker worker;
        struct control_daemon daemon;
        char reason[CONTROL_REASON_SIZE];
    } body;
};

/** The rule for a type of request; NULL where there is none. */
const struct control_rule *control_rule(uint16_t type);

/** A request of one type with everything else zero. */
void control_request_begin(struct control_request *request, enum control_request_type type);

/** A reply of one type with everything else zero. */
void control_reply_begin(struct control_reply *reply, enum control_reply_type type);

/** Is it well-formed, with so many descriptors beside it: version, type, body, zeros in all the rest? */
bool control_request_valid(const struct control_request *request, unsigned descriptors);

/** Is it well-formed, as control_request_valid()? The numbers in CONTROL_COUNTERS may be any. */
bool control_reply_valid(const struct control_reply *reply);

/**
 * Send a request; does not wait.
 *
 * @param netns a descriptor to go with it, which stays the caller's; -1: none
 */
enum channel_result control_send(int fd, const struct control_request *request, int netns);

/**
 * Receive a request that is valid; does not wait.
 *
 * @param netns the descriptor that came with it, close-on-exec and the caller's; -1: none
 * @return CHANNEL_BAD for anything else; nothing is left open then
 */
enum channel_result control_receive(int fd, struct control_request *request, int *netns);

/** The same from a peer that may hand over nothing: with a descriptor beside it, no request is valid. */
enum channel_result control_receive_alone(int fd, struct control_request *request);

/** Send a reply; does not wait. */
enum channel_result control_reply_send(int fd, const struct control_reply *reply);

/** Receive a reply that is valid; does not wait. */
enum channel_result control_reply_receive(int fd, struct control_reply *reply);

#endif
