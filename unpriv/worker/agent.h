/*
 * The way from a complete request to a descriptor on which its answer will come.
 *
 * This is what the data plane knows of how the agent is reached: by its socket at once, over TCP by way of
 * the dialer (dialing.h) and then in a while. It also keeps in mind how that went last, and logs when it
 * changes: an agent that is absent is told once, not for each request.
 */
#ifndef METAWARD_UNPRIV_WORKER_AGENT_H
#define METAWARD_UNPRIV_WORKER_AGENT_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Connect to the agent's socket and send it a request.
 *
 * @param sent how much of it went out, all as a rule; the rest is to be sent when the descriptor is writable.
 * A failure to send is no failure here: the agent may have said something before it closed
 * @return a descriptor, the caller's; -1 with errno as from backend_connect()
 */
int agent_ask(const char *request, size_t length, size_t *sent);

/* How a connection over TCP is coming along. */
enum agent_progress {
    AGENT_CONNECTED,  /* it stands, and the request is on its way */
    AGENT_CONNECTING, /* not yet: try again when the descriptor is writable */
    AGENT_UNREACHED   /* it failed: errno says how */
};

/**
 * Send a request over a connection that has begun. To send is to find out whether it stands: one system call,
 * as a rule, tells and does everything.
 *
 * @param sent with AGENT_CONNECTED, as in agent_ask()
 */
enum agent_progress agent_try(int fd, const char *request, size_t length, size_t *sent);

/** Log, once, that the agent can't be reached, if the error says so and not that we are short of something.
 */
void agent_unreached(int error);

/** Does the error say that somebody forbids to reach the agent? */
bool agent_is_forbidden(int error);

/**
 * Send what is left of a request.
 *
 * @return how much of it went out; `length` also where the agent takes nothing more, as nothing is left to be
 * sent then
 */
size_t agent_send(int fd, const char *request, size_t length);

#endif
