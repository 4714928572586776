/*
 * What a host daemon tells its successor at an upgrade: all its networks, with their listeners.
 *
 * The two are joined by a SOCK_SEQPACKET pair that nobody else has. Every word is one structure of fixed
 * size, like the messages between the daemon's own processes (message.h), and what a type does not use is
 * zero. Neither side trusts the other: a record is checked by its type, length, ranges, number of descriptors
 * and the receiver's phase, and the first that is not good ends the handover; the daemon that serves then
 * goes on.
 *
 *     successor                  the daemon that serves
 *     HANDOVER_READY  ------->                            from here on it changes nothing
 *                     <-------   HANDOVER_CONTROL         the socket that clients come by
 *                     <-------   HANDOVER_NETWORK ...     each network
 *                     <-------   HANDOVER_END
 *     HANDOVER_SERVING ------>                            its workers accept; the other's stop
 *                     <-------   HANDOVER_YOURS           the service manager knows, too
 *
 * An end of the connection before HANDOVER_SERVING leaves everything as it was, and the successor, where it
 * is not told HANDOVER_YOURS, ends: there is never more than one daemon.
 */
#ifndef METAWARD_IPC_HANDOVER_H
#define METAWARD_IPC_HANDOVER_H

#include "ipc/network_spec.h"
#include "ipc/network_state.h"
#include "ipc/packet.h"

#define HANDOVER_VERSION         1
#define HANDOVER_FILE_SIZE       64
#define HANDOVER_DESCRIPTORS_MAX (SPEC_LISTENERS_MAX + 2)

enum handover_type {
    HANDOVER_NONE = 0,
    HANDOVER_READY,   /* the successor has read its configuration */
    HANDOVER_CONTROL, /* .path: where the control socket is; descriptor: it */
    HANDOVER_NETWORK, /* descriptors: the listeners that there are, in their order; then what `with` says */
    HANDOVER_END,
    HANDOVER_SERVING,
    HANDOVER_YOURS,
    HANDOVER_TYPE_COUNT
};

/* Who receives, and what it waits for: one bit each. */
enum handover_phase {
    HANDOVER_FIRST = 1 << 0,  /* the daemon that serves: the successor starts */
    HANDOVER_GIVING = 1 << 1, /* the same, while it sends: nothing may come */
    HANDOVER_GIVEN = 1 << 2,  /* the same, when it has sent everything */
    HANDOVER_BEGUN = 1 << 3,  /* successor: the control socket */
    HANDOVER_TAKING = 1 << 4, /* the same: networks */
    HANDOVER_TAKEN = 1 << 5,  /* the same: it serves, and waits for the other's leave */
};

/* What comes behind the listeners; one bit each, and in this order. */
enum handover_with {
    HANDOVER_WITH_NETNS = 1 << 0, /* the namespace, where it was handed over to the daemon */
    HANDOVER_WITH_LEASE = 1 << 1, /* the connection that holds the lease, where it is one */
};

struct handover {
    uint16_t version;              /* HANDOVER_VERSION */
    uint16_t type;                 /* enum handover_type */
    uint8_t state;                 /* enum network_state, not NETWORK_FAILED */
    uint8_t origin;                /* enum network_origin */
    uint8_t listeners;             /* a bit for each of spec.listeners that there is a descriptor of */
    uint8_t with;                  /* enum handover_with */
    uint64_t device;               /* of the namespace in use */
    uint64_t inode;                /* of the same; 0: none, and then no listener */
    char file[HANDOVER_FILE_SIZE]; /* ORIGIN_FILE: its name; else empty */
    union {
        struct network_spec spec;
        char path[SETTINGS_PATH_SIZE];
    } body;
};

/** A record of one type with everything else zero. */
void handover_begin(struct handover *record, enum handover_type type);

/** How many descriptors belong to a record that is valid. */
unsigned handover_descriptors(const struct handover *record);

/** Is it well-formed, with so many descriptors beside it: version, type, ranges, zeros in all the rest? */
bool handover_valid(const struct handover *record, unsigned descriptors);

/** May a record of this type arrive in this phase (exactly one bit of enum handover_phase)? */
bool handover_allowed(uint16_t type, uint32_t phase);

/** Send a record that is valid; does not wait. @param fds as many as belong to it; they stay the caller's */
enum channel_result handover_send(int fd, const struct handover *record, const int *fds);

/**
 * Receive a record that is valid and allowed; does not wait.
 *
 * @param fds the descriptors that belong to it, close-on-exec and the caller's
 * @param pid the sender as the kernel tells it, where the socket is asked to; else 0. May be NULL
 * @return CHANNEL_BAD for anything else; nothing is left open then
 */
enum channel_result handover_receive(int fd, uint32_t phase, struct handover *record,
                                     int fds[HANDOVER_DESCRIPTORS_MAX], pid_t *pid);

#endif
