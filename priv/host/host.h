/*
 * The host daemon: one parent and a few workers for all networks of a host.
 *
 * It is the single network's program (main.c) up to the point where that supervises one worker. From there on
 * it has a table of networks (networks.h) that live in namespaces (namespaces.h) and are served by workers
 * (workers.h), and one loop (ipc/loop.h) for all of it, in which nothing waits. Once the first worker serves
 * it keeps two capabilities, to enter namespaces and to listen at port 80, and a filter of its own
 * (POLICY_HOST); only then are the networks' files read and their namespaces entered.
 */
#ifndef METAWARD_PRIV_HOST_HOST_H
#define METAWARD_PRIV_HOST_HOST_H

#include "ipc/host_config.h"
#include "priv/supervise.h"

/**
 * Run until a signal ends it: SIGTERM and SIGINT at once, SIGQUIT and SIGUSR1 after the requests in flight.
 *
 * @param file the global file, to be read again at a reload
 * @return the exit status
 */
int host_supervise(const char *file, const struct host_config *config, struct prepared *prepared,
                   const struct milestones *milestones);

/** End the daemon with this status, at the end of the turn. 0: without a failure. */
void host_end(int step);

/** End the daemon: something can't be waited for. */
void host_unwatched(void);

/** Finish the requests in flight, then end. */
void host_drain(void);

/** Begin to read all files again. @return false where it has not started yet, or is ending */
bool host_reload(void);

/** Begin an upgrade. @param why where it can't be: a constant string @return false then */
bool host_upgrade(const char **why);

/** The process `pid` serves from now on: take no newcomers, finish what is here, and end. */
void host_leave(pid_t pid);

/** What another daemon served is ours now. */
void host_taken_over(void);

/** Is it finishing and ending? */
bool host_draining(void);

#endif
