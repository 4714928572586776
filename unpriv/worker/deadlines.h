/*
 * Deadlines of many connections without a timer for each.
 *
 * All deadlines of one kind last equally long, so the order in which they were set is the order in which they
 * end: a kind is a first-in first-out list, setting and clearing is O(1), and the earliest deadline of all is
 * the earliest of a few list heads.
 */
#ifndef METAWARD_UNPRIV_WORKER_DEADLINES_H
#define METAWARD_UNPRIV_WORKER_DEADLINES_H

#include "unpriv/worker/list.h"

#include <stdint.h>

enum deadline_kind {
    DEADLINE_REQUEST,    /* a request head, or its body, must be complete */
    DEADLINE_KEEP_ALIVE, /* idle between two requests */
    DEADLINE_CLIENT,     /* the guest must take more of its answer, or make room for it */
    DEADLINE_CONNECT,    /* the agent must accept */
    DEADLINE_SERVER,     /* the agent must send more */
    DEADLINE_LINGER,     /* a refused guest may still send what we throw away */
    DEADLINE_KINDS
};

#define DEADLINE_NEVER UINT64_MAX

struct deadline {
    struct list_node node;
    uint64_t at;  /* monotonic milliseconds; 0: not set */
    uint8_t kind; /* enum deadline_kind, where it is set */
};

struct deadlines {
    struct list lists[DEADLINE_KINDS];
    uint32_t duration[DEADLINE_KINDS]; /* milliseconds; fixed before the first deadline is set */
};

/**
 * Set a deadline from now; one that was set before, of any kind, is replaced.
 *
 * @param now monotonic milliseconds, never less than in an earlier call
 */
void deadlines_set(struct deadlines *deadlines, struct deadline *deadline, enum deadline_kind kind,
                   uint64_t now);

/** Forget a deadline, set or not. */
void deadlines_clear(struct deadlines *deadlines, struct deadline *deadline);

/** @return when the earliest deadline is; DEADLINE_NEVER where none is set */
uint64_t deadlines_earliest(const struct deadlines *deadlines);

/** Take out one deadline that has come. @return NULL where there is none */
struct deadline *deadlines_expired(struct deadlines *deadlines, uint64_t now);

#endif
