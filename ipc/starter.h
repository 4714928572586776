/*
 * Into the background: two forks, and a socket on which the process that was started hears how the start
 * went.
 *
 * That process ends with the status it hears, so whoever started it can trust an exit status of 0: guests are
 * served and the pid file is there. It still has the stderr that it was started with when the process in the
 * background has left it, and writes the lines there that say what failed last.
 */
#ifndef METAWARD_IPC_STARTER_H
#define METAWARD_IPC_STARTER_H

#include <stdbool.h>

/**
 * Fork twice; the first process never returns from here, but ends with the status that starter_let_go()
 * tells.
 *
 * @param lost the status where the process in the background ends without a word
 * @return 0 in the process that stays, or STEP_DAEMONIZE, reported
 */
int starter_leave(int lost);

/** Is there a starter that still waits? */
bool starter_waits(void);

/** The descriptor of the way to it, which somebody else may be given; -1 where none waits. */
int starter_descriptor(void);

/** That descriptor has another number now; nothing to do where none waits. */
void starter_moved(int fd);

/**
 * In the background, make 0, 1 and 2 /dev/null: whoever reads the starter's pipes sees their end before the
 * starter's. From then on the lines of report_failed() go to the starter, too. Does nothing where there is no
 * starter.
 *
 * @return 0, or STEP_DAEMONIZE, reported
 */
int starter_leave_terminal(void);

/**
 * Let the starter go with this exit status, once; does nothing where there is none. Works under the parent's
 * filter: it needs send() and close().
 *
 * @return 0, or STEP_DAEMONIZE, reported
 */
int starter_let_go(int status);

#endif
