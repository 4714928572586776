/*
 * Into the background: two forks, and a pipe on which the process that was started hears how the start went.
 *
 * That process ends with the status it hears, so whoever started it can trust an exit status of 0: guests are
 * served and the pid file is there.
 */
#ifndef METAWARD_IPC_STARTER_H
#define METAWARD_IPC_STARTER_H

#include <stdbool.h>

/**
 * Fork twice; the first process never returns from here, but ends with the status that starter_let_go()
 * tells.
 *
 * @return 0 in the process that stays, or STEP_DAEMONIZE, reported
 */
int starter_leave(void);

/** Is there a starter that still waits? */
bool starter_waits(void);

/**
 * Let the starter go with this exit status, once; does nothing where there is none. With 0, descriptors 0, 1
 * and 2 become /dev/null first, so that readers of the starter's pipes see their end.
 *
 * @return 0, or STEP_DAEMONIZE, reported
 */
int starter_let_go(int status);

#endif
