/*
 * The heir: a process that can start the daemon's successor when the daemon itself can no longer start
 * anything.
 *
 * An upgrade runs the program that is installed by then, with the power that a start needs. The daemon has
 * given that power up, and its filter lets it execute nothing. So while it still is as it was started it
 * forks the heir, which holds the daemon's standard output and error and one end of a socket pair, and waits.
 * On one word, that comes with a descriptor, it opens the installed metawardd, checks it (trusted.h), and
 * executes it in a child, with fixed arguments, an environment made at the start, and the descriptor as
 * standard input. It tells how the child ended, and waits for the next word. There is nothing that the daemon
 * could choose but the moment, and what stands behind that descriptor. It has no filter of its own: the
 * successor would inherit it. It ends with the daemon, however that ends.
 */
#ifndef METAWARD_POLICY_HEIR_H
#define METAWARD_POLICY_HEIR_H

#include <stdbool.h>

/**
 * Fork it. Before any power is given up and anything is opened that it should not hold.
 *
 * @param arguments of the successor's command line: its name, options, NULL
 * @return the daemon's end of the pair, non-blocking; -1 with errno set
 */
int heir_begin(char *const *arguments);

/** Have it start a successor. @param handover stays the caller's @return false with errno set */
bool heir_start(int heir, int handover);

/** Have it kill the successor that it started, if that lives. @return false with errno set */
bool heir_stop(int heir);

/**
 * What it has told: how a successor ended. Does not wait.
 *
 * @param status as wait4() gives it
 * @return 1: filled in; 0: nothing yet; -1: the heir is no more
 */
int heir_ended(int heir, int *status);

#endif
