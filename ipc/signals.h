/*
 * What other processes tell the parent by signal.
 *
 * Signals are held back except while the parent waits in ppoll(), so none is missed between a look and the
 * wait.
 */
#ifndef METAWARD_IPC_SIGNALS_H
#define METAWARD_IPC_SIGNALS_H

#include <stdbool.h>

enum signal_wish {
    WISH_NONE = 0,
    WISH_DRAIN, /* SIGQUIT, SIGUSR1: end after the requests in flight */
    WISH_END    /* SIGTERM, SIGINT: end at once */
};

/**
 * Catch those signals and SIGCHLD, ignore SIGPIPE and SIGHUP, and hold all back from now on.
 *
 * @return false with errno set
 */
bool signals_hold(void);

/**
 * Catch SIGHUP as well, after signals_hold(), and hold it back in the same way.
 *
 * @return false with errno set
 */
bool signals_hold_reload(void);

/** As signals_hold_reload(), for SIGUSR2. */
bool signals_hold_upgrade(void);

/** Has SIGUSR2 come since this was asked last? */
bool signals_upgrade(void);

/** Has SIGHUP come since this was asked last? */
bool signals_reload(void);

/** The strongest wish that a signal has told so far. */
enum signal_wish signals_wish(void);

#endif
