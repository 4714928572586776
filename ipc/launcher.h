/*
 * What the host daemon and its launcher say to each other.
 *
 * The launcher is the one that has the power to start readers and the nursery, where the daemon itself has
 * none (priv/launcher/main.c). As everywhere here, a request and a reply are structures of one fixed size,
 * sent in one piece over a SOCK_SEQPACKET connection; one table says what each type uses, everything else is
 * zero, and a phase table says when it may come. Each request is answered by one reply of its type. No
 * request carries code, or the way to it: what is executed is compiled into the launcher.
 */
#ifndef METAWARD_IPC_LAUNCHER_H
#define METAWARD_IPC_LAUNCHER_H

#include "ipc/packet.h"
#include "ipc/settings.h"

#define LAUNCHER_VERSION  1
#define LAUNCHER_WHY_SIZE 80

enum launcher_type {
    LAUNCHER_NONE = 0,
    LAUNCHER_READER,     /* start a reader; the reply has its .pid and a descriptor of its channel */
    LAUNCHER_READER_END, /* kill it; the reply has its .status */
    LAUNCHER_NURSERY, /* start the nursery, as .uid and .gid, with .descriptors at most and the directory of
                         .backend for its root, shown as .name; the reply has its .pid, .filters and a
                         descriptor of its channel */
    LAUNCHER_LOOK,    /* look at the surroundings of worker .pid; the reply says .why they are not right */
    LAUNCHER_GIVE,    /* descriptor: a UNIX socket's file, O_PATH; it becomes group .gid's */
    LAUNCHER_SETTLE,  /* give up all power; the reply comes after that */
    LAUNCHER_NURSERY_END, /* only a reply, asked for by nobody: the nursery ended with .status */
    LAUNCHER_TYPE_COUNT
};

/* What the launcher is about, one bit each. A reply may come whenever its request was sent. */
enum launcher_phase {
    LAUNCHER_NEW = 1 << 0,     /* it has started nothing, or readers that are gone */
    LAUNCHER_READING = 1 << 1, /* there is a reader */
    LAUNCHER_NURSED = 1 << 2,  /* there is a nursery */
    LAUNCHER_BOTH = 1 << 3,    /* there are both */
    LAUNCHER_SETTLED = 1 << 4, /* it has no power any more */
};

struct launcher_request {
    uint16_t version;  /* LAUNCHER_VERSION */
    uint16_t type;     /* enum launcher_type */
    uint32_t sequence; /* counts requests from 1 */
    uint32_t uid;      /* not 0 */
    uint32_t gid;      /* not 0 */
    uint32_t descriptors;
    int32_t pid;
    char backend[SETTINGS_PATH_SIZE];
    char name[NETWORK_TAG_SIZE];
};

struct launcher_reply {
    uint16_t version;
    uint16_t type;     /* the request's, or LAUNCHER_NURSERY_END */
    uint32_t sequence; /* counts replies from 1 */
    int32_t step;      /* enum step: what failed, and then all but .error is zero; 0: it was done */
    int32_t error;     /* errno, where there was one */
    int32_t pid;
    int32_t status;              /* as wait4() gives it */
    uint32_t filters;            /* that the launcher has, and so the nursery inherited */
    char why[LAUNCHER_WHY_SIZE]; /* empty: all is as it must be */
};

/** May a request of this type come in this phase (one bit of enum launcher_phase)? */
bool launcher_allowed(uint16_t type, uint32_t phase);

/** Is the request well-formed, with so many descriptors beside it? */
bool launcher_request_valid(const struct launcher_request *request, unsigned descriptors);

/** Is the reply, with so many descriptors beside it? */
bool launcher_reply_valid(const struct launcher_reply *reply, unsigned descriptors);

/** A request of one type with everything else zero. */
void launcher_request_begin(struct launcher_request *request, enum launcher_type type);

/** A reply of one type with everything else zero. */
void launcher_reply_begin(struct launcher_reply *reply, enum launcher_type type);

/**
 * Send one, filled in but for its sequence number, which is one more than `*sent` and becomes that.
 *
 * @param fd the descriptor that its type carries, which stays the caller's; -1: none
 */
enum channel_result launcher_ask(int socket, uint32_t *sent, struct launcher_request *request, int fd);

/** The same for a reply. */
enum channel_result launcher_answer(int socket, uint32_t *sent, struct launcher_reply *reply, int fd);

/**
 * Receive a request that is valid, in sequence and allowed in `phase`. Never waits.
 *
 * @param fd the descriptor that came with it, the caller's from now on; -1: none
 */
enum channel_result launcher_hear(int socket, uint32_t *received, uint32_t phase,
                                  struct launcher_request *request, int *fd);

/**
 * Receive a reply that is valid and in sequence. Never waits.
 *
 * @param pid the sender as the kernel tells it, where SO_PASSCRED is on
 */
enum channel_result launcher_take(int socket, uint32_t *received, struct launcher_reply *reply, int *fd,
                                  pid_t *pid);

#endif
