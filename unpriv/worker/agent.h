/*
 * The way from a complete request to a descriptor on which its answer will come.
 *
 * This is all that the data plane knows of how the agent is reached, so that another process could do it one
 * day. It also keeps in mind how that went last, and logs when it changes: an agent that is absent is told
 * once, not for each request.
 */
#ifndef METAWARD_UNPRIV_WORKER_AGENT_H
#define METAWARD_UNPRIV_WORKER_AGENT_H

#include <stddef.h>

/**
 * Connect to the agent and send it a request.
 *
 * @param sent how much of it went out, all as a rule; the rest is to be sent when the descriptor is writable.
 * A failure to send is no failure here: the agent may have said something before it closed
 * @return a descriptor, the caller's; -1 with errno as from backend_connect()
 */
int agent_ask(const char *request, size_t length, size_t *sent);

/**
 * Send what is left of a request.
 *
 * @return how much of it went out; `length` also where the agent takes nothing more, as nothing is left to be
 * sent then
 */
size_t agent_send(int fd, const char *request, size_t length);

#endif
