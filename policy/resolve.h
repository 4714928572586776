/*
 * Where the agent is. Its name, where it has one, is looked up by somebody without power.
 *
 * The C library's resolver loads modules, reads files and parses what name servers say. So it runs in a child
 * of its own, unprivileged, alone in its PID namespace, with a bounded time; one fixed-size answer comes
 * back, and the parent believes nothing of it. It has no system call filter, because what it calls depends on
 * the host's nsswitch.conf.
 */
#ifndef METAWARD_POLICY_RESOLVE_H
#define METAWARD_POLICY_RESOLVE_H

#include "ipc/config.h"

/* What is known of the agent before anything is confined. */
struct agent_place {
    int directory;          /* O_PATH: of its socket; -1 for an agent over TCP */
    struct address address; /* of an agent over TCP; else all zero */
};

/**
 * Find the agent: open the directory of its socket, or find out its address, its host being looked up or
 * taken as the address that it is.
 *
 * Of several addresses it is the first, in the order of RFC 6724 as getaddrinfo() has it: one that this host
 * can reach stands before one that it can't. The answer holds for good; nothing is looked up again later.
 *
 * @param config finished; for an agent over TCP worker.backend becomes its address's text
 * @return 0, or STEP_BACKEND_DIRECTORY or STEP_RESOLVE, reported (ENOENT: no such name, EAGAIN: no name
 * server answers now, ETIMEDOUT, EBADMSG: the child is not itself)
 */
int resolve_agent(struct config *config, struct agent_place *out);

/**
 * Open the directory of the agent's socket, which itself need not be there yet.
 *
 * @param socket its absolute path, in an array of SETTINGS_PATH_SIZE
 * @param out    O_PATH, close-on-exec
 * @return 0 or STEP_BACKEND_DIRECTORY, reported
 */
int resolve_directory(const char *socket, int *out);

#endif
