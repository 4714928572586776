/*
 * The messages between the parent, the nursery, the worker and the dialer.
 *
 * A message is one fixed-size structure, sent in one piece over a SOCK_SEQPACKET pair. There is no length to
 * get wrong and nothing to parse: type, version, sequence number, a union of fixed layouts; what a type does
 * not use is zero. Descriptors travel beside it, their number fixed by the type. message_valid() says
 * everything that can be said without knowing the receiver's state; the receiver's phase table
 * (message_allowed) says the rest. Both sides use the same functions, and so does the fuzzer.
 *
 * The receiver of a bad message uses nothing of it. The parent kills the worker that sent one.
 */
#ifndef METAWARD_IPC_MESSAGE_H
#define METAWARD_IPC_MESSAGE_H

#include "ipc/address.h"
#include "ipc/instance.h"
#include "ipc/network.h"
#include "ipc/settings.h"

#define MESSAGE_VERSION         1
#define MESSAGE_DESCRIPTORS_MAX 2
#define MESSAGE_SLOTS           16385 /* of one nursery: as many workers as networks, and a reader */
#define MESSAGE_NETWORKS        16384 /* of one worker, as settings.max_networks allows at most */
#define MESSAGE_LISTENERS       16384 /* of one worker, as settings.max_listeners allows at most */

enum message_type {
    MSG_NONE = 0,
    /* parent -> nursery */
    MSG_SPAWN, /* start what .role says in .slot; descriptors: a worker's channel and log, or a reader's file
                  and channel */
    MSG_KILL,  /* end the worker in .slot, if it has not ended, and tell how it did */
    /* nursery -> parent */
    MSG_NURSERY_READY, /* confined and waiting */
    MSG_EXITED,        /* the worker in .slot ended with .status as wait4() gives it */
    /* parent -> worker */
    MSG_SETTINGS,  /* .settings: reserve memory, confine */
    MSG_NETWORK,   /* .body.network: serve it as number .network, or change the one that has this number */
    MSG_LISTENER,  /* .body.address as listener .slot of .network; descriptor: a listening stream socket */
    MSG_UNLISTEN,  /* close listener .slot; connections that came through it stay */
    MSG_REMOVE,    /* close the listeners and connections of .network at once; its number is free again */
    MSG_INSTANCES, /* .body.instances: the next of the records of guests known one by one (instance.h) */
    MSG_SERVE,     /* the first networks and listeners are handed over: start accepting */
    MSG_LOG,       /* descriptor: send lines there, and close what they were sent to */
    MSG_DRAIN,     /* stop accepting, finish what is in flight, exit 0 */
    /* parent -> dialer */
    MSG_DIAL, /* .body.address is the agent's: pin it, confine */
    /* parent -> dialer and worker */
    MSG_LINE, /* descriptor: an end of the line between the two (dial.h); it replaces the dialer's last one */
    /* worker -> parent */
    MSG_READY,      /* confined; waiting for listeners. The dialer says so too, and waits for a line */
    MSG_SERVING,    /* accepting */
    MSG_LOG_BROKEN, /* sending to the log failed with .status (errno): MSG_LOG, please */
    /* child -> parent: it could not start, or the nursery could not start the worker in .slot */
    MSG_FAILED, /* .step and .status (errno) */
    /* parent -> worker, before its settings or not at all */
    MSG_COUNTERS, /* memory to count in (counters.h), as a descriptor */
    /* parent -> worker */
    MSG_RETIRE, /* as MSG_DRAIN, but somebody else serves newcomers: guests that are here may ask once more */
    MSG_COUNT
};

/* What the nursery is to start. A reader only where the nursery has its executable (policy/descriptors.h). */
enum spawn_role { SPAWN_WORKER = 0, SPAWN_READER, SPAWN_COUNT };

/* Who receives, and what it has been told so far: one bit each, so that the phase table is a mask. */
enum message_phase {
    PHASE_PARENT_NURSERY_START = 1 << 0, /* parent, from a nursery that is not ready */
    PHASE_PARENT_NURSERY = 1 << 1,       /* parent, from a nursery that is */
    PHASE_PARENT_WORKER_START = 1 << 2,  /* parent, from a worker that is not ready */
    PHASE_PARENT_WORKER_READY = 1 << 3,  /* parent, from a worker that was sent its listeners */
    PHASE_PARENT_WORKER = 1 << 4,        /* parent, from a worker that serves */
    PHASE_NURSERY = 1 << 5,
    PHASE_WORKER_START = 1 << 6,         /* worker, without settings */
    PHASE_WORKER_LISTENERS = 1 << 7,     /* worker, confined */
    PHASE_WORKER = 1 << 8,               /* worker, serving */
    PHASE_WORKER_LINE = 1 << 9,          /* worker, with settings that need the dialer */
    PHASE_DIALER_START = 1 << 10,        /* dialer, without an address */
    PHASE_DIALER = 1 << 11,              /* dialer, confined */
    PHASE_PARENT_DIALER_START = 1 << 12, /* parent, from a dialer that is not ready */
    PHASE_PARENT_DIALER = 1 << 13,       /* parent, from a dialer that is: nothing */
};

struct message {
    uint16_t version;  /* MESSAGE_VERSION */
    uint16_t type;     /* enum message_type */
    uint32_t sequence; /* counts the sender's messages on this channel from 1 */
    uint16_t slot;     /* of a worker or, in MSG_LISTENER and MSG_UNLISTEN, of a listener */
    uint16_t role;     /* enum spawn_role in MSG_SPAWN */
    int32_t status;
    int32_t step;     /* enum step in MSG_FAILED */
    uint32_t network; /* its number */
    union {
        struct settings settings;
        struct network network;
        struct address address;
        struct instance_batch instances;
    } body;
};

/** How many descriptors a message of the type carries; 0 for unknown types. */
unsigned message_descriptors(uint16_t type);

/**
 * Is the message well-formed, whoever receives it? Version, type, ranges of the fields that its type uses,
 * zeros in all others, and the number of descriptors.
 */
bool message_valid(const struct message *message, unsigned descriptors);

/** May a message of this type arrive in this phase (exactly one bit of enum message_phase)? */
bool message_allowed(uint16_t type, uint32_t phase);

/**
 * Can this be the status of a process that ended, as wait4() gives it without WUNTRACED: an exit status in
 * bits 8 to 15, or a signal and the core bit?
 */
bool message_end_of_process(int32_t status);

/** A message of one type with everything else zero. */
void message_begin(struct message *message, enum message_type type);

#endif
