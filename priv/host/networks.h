/*
 * The networks of the host daemon: which are wanted, how far each has come, and what keeps it.
 *
 * One table with a place for each network; places are found by the network's id and by its namespace's name,
 * both by hash, and handed out from the lowest, so that memory is touched only as far as there are networks.
 * A network's place is its number in its worker too (ipc/message.h), but where that has no other. Nothing
 * here waits: what a network needs from its worker is sent as the worker's channel has room (workers.h), what
 * is missing is tried again by time and when its namespace's name changes (namespaces.h).
 *
 * A network is wanted from networks_add() to networks_remove(). In between it is NETWORK_WAITING or
 * NETWORK_SERVING by what the host has, whatever becomes of its worker: that is replaced.
 */
#ifndef METAWARD_PRIV_HOST_NETWORKS_H
#define METAWARD_PRIV_HOST_NETWORKS_H

#include "ipc/channel.h"
#include "ipc/handover.h"
#include "ipc/loop.h"
#include "ipc/network_spec.h"
#include "ipc/network_state.h"

#include <sys/types.h>

#define NETWORKS_MAX         MESSAGE_NETWORKS
#define NETWORKS_NONE        NETWORKS_MAX /* no place */
#define NETWORKS_FILE_SIZE   64
#define NETWORKS_DETAIL_SIZE 192

struct host_listener {
    int fd;        /* -1: not bound */
    uint16_t slot; /* its number in the worker */
    bool has_slot;
    bool told;   /* the worker has it */
    bool untold; /* the worker has one with this number that is closed here */
};

struct host_network {
    struct network_spec spec;
    char file[NETWORKS_FILE_SIZE];     /* ORIGIN_FILE: its name in the networks' directory; else empty */
    char detail[NETWORKS_DETAIL_SIZE]; /* what is wrong with that file: "LINE: WORD: REASON"; else empty */
    const char *why;                   /* constant: what a waiting network waits for; NULL: for nothing */
    int error;                         /* errno beside it; 0: none */
    uint8_t state;                     /* enum network_state */
    uint8_t origin;                    /* enum network_origin */
    int64_t since;                     /* in this state, as clock_now() counts */
    uint32_t worker;                   /* the slot of its worker */

    /* for networks.c, namespaces.c and workers.c alone */
    bool used;     /* the place is taken */
    bool gone;     /* removed; the place is kept until its worker has forgotten the number */
    bool told;     /* the worker knows the number */
    bool changed;  /* and is to be told what is behind it again */
    bool forget;   /* it must be told first that what it knows under the number is gone */
    bool queued;   /* it is to be told something */
    uint32_t load; /* the last load of files that named it */
    int64_t pause; /* milliseconds until the next try */
    struct timer timer;
    dev_t device; /* of the namespace in use */
    ino_t inode;  /* of the same; 0: none */
    int netns;    /* the namespace, where it was handed over; else -1 */
    struct host_listener listeners[SPEC_LISTENERS_MAX];
    uint16_t by_uuid, by_name, next, previous, next_queued; /* chains: a place plus one; 0 ends */
};

/**
 * Want a network, or change the one that has this id: only what differs is touched, and one that is the same
 * loses nothing.
 *
 * @param spec   copied; valid by network_spec_valid()
 * @param netns  the namespace as a descriptor, the table's from now on whatever is returned; -1 where the
 *               spec names it
 * @param origin an existing network may only be changed by the same origin
 * @param file   ORIGIN_FILE: the file's name, shorter than NETWORKS_FILE_SIZE; else NULL
 * @param why    where it can't be: a constant string
 * @return its place, or NETWORKS_NONE
 */
uint32_t networks_add(const struct network_spec *spec, int netns, enum network_origin origin,
                      const char *file, const char **why);

/**
 * Want a network that another daemon has served, with the listeners that it has. Nothing is logged: it goes
 * on as it was.
 *
 * @param record a HANDOVER_NETWORK, valid
 * @param fds    as they belong to it: listeners and namespace are the table's where it takes the network
 * @return its place, or NETWORKS_NONE where there is no room, or one with this id
 */
uint32_t networks_adopt(const struct handover *record, const int *fds);

/** Keep a file of the networks' directory that is no good: a failed network without id, or a remark on the
 * one that the file described before, which goes on. */
void networks_bad_file(const char *file, const char *detail);

/** Close a network's listeners and connections, and forget it. @return false where there is none */
bool networks_remove(const char *uuid);

/** Close its listeners, let its connections go on. It stays, NETWORK_DRAINING, until it is removed or added
 * again. @return false where there is none */
bool networks_drain(const char *uuid);

/** The place of a network with this id; NETWORKS_NONE where there is none. `uuid` as in struct network. */
uint32_t networks_find(const char *uuid);

/** The first place at or after `place` that is taken by a wanted network or a bad file; NETWORKS_NONE ends.
 */
uint32_t networks_next(uint32_t place);

/** What is at a place; NULL where nothing is. */
const struct host_network *networks_at(uint32_t place);

/** How many there are in a state. */
uint32_t networks_count(enum network_state state);

/** All files are going to be read: those of ORIGIN_FILE that are not added until networks_loaded() will be
 * removed then. */
void networks_loading(void);

/** All files were read. @return how many networks were removed */
uint32_t networks_loaded(void);

/* --- for the other files of the daemon's core --- */

/** Before everything else. @param most networks that may be wanted at one time, NETWORKS_MAX at most */
void networks_begin(uint32_t most, bool own_workers);

/** The same place as networks_at(), to be changed. */
struct host_network *networks_place(uint32_t place);

/** The place of something in the table. */
uint32_t networks_place_of(const struct host_network *network);

/** The first network whose spec names the namespace so; the next one by its by_name. NULL ends. */
struct host_network *networks_in(const char *netns);

/** Say how far a network has come, and log it where that is news. */
void networks_state(struct host_network *network, enum network_state state, const char *why, int error);

/** The number in its worker for a listener of the network that is about to be made. @return false: no room */
bool networks_number(struct host_network *network, unsigned listener);

/** Close its listeners and connections, here and in its worker. */
void networks_close(struct host_network *network);

/** Tell its worker what it does not know of it yet. @return false: no room now, or no worker */
bool networks_tell(struct host_network *network, struct channel *channel);

/** The network's number in its worker: what it is told by, and what it is counted under. */
uint32_t networks_told_as(const struct host_network *network);

/** Its worker is no more, and with it all that it knew. */
void networks_forgotten(struct host_network *network);

/** A removed network that its worker knows no more: its place is free. */
void networks_release(struct host_network *network);

/** Close every listener here; the workers are told to drain by themselves. */
void networks_close_listeners(void);

#endif
