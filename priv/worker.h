/*
 * One worker, from its start in the nursery to its end: what the parent knows of it, and what it does about
 * it.
 *
 * Whoever has workers (supervise.h) owns a struct worker for each slot of the nursery and says by struct
 * worker_owner what belongs to it. What a worker says is only ever a message type and a number; a message
 * that does not validate means that the worker is no longer itself: it is killed, nothing of the message is
 * used, and another one is started with a channel and a log socket of its own.
 */
#ifndef METAWARD_PRIV_WORKER_H
#define METAWARD_PRIV_WORKER_H

#include "ipc/channel.h"
#include "ipc/logsocket.h"
#include "policy/facts.h"

struct worker;

/* What is the same for all workers of one owner. Each function returns 0 or the step that failed, reported.
 */
struct worker_owner {
    struct channel *nursery;
    struct channel *dialer; /* NULL: the agent is reached without one */
    const struct settings *settings;
    const struct facts *facts;
    bool settled;                   /* the power for look() is gone */
    bool log_apart;                 /* the parent's own log is none of the workers' */
    bool lasting;                   /* no worker's failure ends the program: another one is always tried */
    const char *(*look)(pid_t pid); /* at the first one's surroundings (facts_surroundings()), with power */
    bool (*hand_over)(struct worker *worker); /* send it what it serves; false: it takes nothing */
    int (*serving)(struct worker *worker);    /* it serves, maybe not for the first time */
};

struct worker {
    const struct worker_owner *owner;
    struct channel channel; /* fd -1: none */
    struct logsocket log;
    pid_t pid; /* 0: none, or not known yet */
    uint32_t phase;
    unsigned failures;  /* workers in a row that did not last */
    int64_t started_at; /* as clock_now() counts */
    int64_t due; /* when the next one is to be started, or the starting one must serve; 0: nothing due */
    uint16_t slot;
    int counters;     /* memory to count in (ipc/counters.h), its owner's; -1: none */
    bool ever_served; /* one in this slot did */
    bool unburied;    /* the nursery is still to be told of its end */
    bool draining;
};

/**
 * Take a slot into use; its first worker is started by worker_start().
 *
 * @return 0, or STEP_LOG, reported
 */
int worker_begin(struct worker *worker, const struct worker_owner *owner, uint16_t slot);

/** Have the nursery start a worker in the slot, and send it its settings. */
int worker_start(struct worker *worker);

/** Close its channel and have the nursery kill and bury it; its end comes back as MSG_EXITED. */
int worker_end(struct worker *worker);

/** The same, saying why. */
int worker_distrust(struct worker *worker, const char *why);

/** Read what it has sent. */
int worker_receive(struct worker *worker);

/**
 * It ended, with `status` as wait4() gives it: start another one, now or after a pause.
 *
 * @return 0, or the step that failed, reported, where no worker of this slot ever served, too many in a row
 * did not, or one that was to drain failed
 */
int worker_ended(struct worker *worker, int status);

/** Do what is due at `now`. */
int worker_due(struct worker *worker, int64_t now);

/** When worker_due() has something to do; 0: not as far as is known. */
int64_t worker_next_due(const struct worker *worker);

/** Have it finish the requests in flight and end. @param how MSG_DRAIN or MSG_RETIRE
 * @return false where it can't be told */
bool worker_drain(struct worker *worker, enum message_type how);

#endif
