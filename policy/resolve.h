/*
 * From the agent's name to one address, by somebody without power.
 *
 * The C library's resolver loads modules, reads files and parses what name servers say. So it runs in a child
 * of its own, unprivileged, alone in its PID namespace, with a bounded time; one fixed-size answer comes
 * back, and the parent believes nothing of it. It has no system call filter, because what it calls depends on
 * the host's nsswitch.conf.
 */
#ifndef METAWARD_POLICY_RESOLVE_H
#define METAWARD_POLICY_RESOLVE_H

#include "ipc/config.h"

/**
 * Find out the address of an agent over TCP: its host looked up, or taken as the address that it is.
 *
 * Of several addresses it is the first, in the order of RFC 6724 as getaddrinfo() has it: one that this host
 * can reach stands before one that it can't. The answer holds for good; nothing is looked up again later.
 *
 * @param config agent_host and agent_port are looked at; worker.backend becomes the address's text
 * @param out    written only on success
 * @return 0, or STEP_RESOLVE, reported (ENOENT: no such name, EAGAIN: no name server answers now, ETIMEDOUT,
 * EBADMSG: the child is not itself)
 */
int resolve_agent(struct config *config, struct address *out);

#endif
