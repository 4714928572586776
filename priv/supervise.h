/*
 * The parent's life: bring up a worker, give up all power, and keep a worker running until told to end.
 *
 * The listeners stay open here, so guests that knock while a worker is being replaced wait in the backlog and
 * are not refused. The parent is not on the way of a request. What a child says is only ever a message type
 * and a number; a message that does not validate means that the worker is no longer itself: it is killed and
 * another is started.
 *
 * At the end the parent goes first, and at once: who told it to end often looks only a moment later whether
 * it is still there, and then waits a second. The kernel ends the children (PR_SET_PDEATHSIG) and with the
 * last of them the listeners are closed, some milliseconds later; prepare.h has how a successor bridges them.
 * Only a parent through which the worker's log lines pass stays until its children have ended.
 */
#ifndef METAWARD_PRIV_SUPERVISE_H
#define METAWARD_PRIV_SUPERVISE_H

#include "priv/prepare.h"

/* What the program's start has to do on the way; each returns 0 or the step that failed, reported. */
struct milestones {
    int (*serving)(void);      /* the first worker serves, and the power is still there: write the pid file */
    int (*settled)(void);      /* the power is gone: leave the terminal */
    int (*confined)(int zero); /* all is done: let the process go that waits for the start's end */
};

/**
 * Run until a signal ends it: SIGTERM and SIGINT at once, SIGQUIT and SIGUSR1 after the requests in flight.
 *
 * @return the exit status
 */
int supervise(const struct config *config, struct prepared *prepared, const struct milestones *milestones);

/**
 * Go on with what the command line asked for: supervise() or, in metawardd with --config, the host daemon.
 * Each program has its own.
 */
int frontend_serve(const struct config *config, struct prepared *prepared,
                   const struct milestones *milestones);

#endif
