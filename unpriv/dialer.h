/*
 * The dialer: the only process that can reach an agent over TCP, and all that it can do is to begin a
 * connection.
 *
 * It lives in the host's network namespace, in an empty root, with no power, under a filter that lets it
 * connect to one address and hand the socket away (policy/dialer.c). The worker asks for connections over a
 * line (ipc/dial.h) and does everything else with them from its own, empty namespace: a socket keeps the
 * namespace in which it was made. So whoever takes the worker over can talk to the agent and to nobody else,
 * and whoever took the dialer over could not even do that: it can neither read nor write.
 *
 * A new worker comes with a line of its own, and the last one's is closed first. Nothing that the dialer has
 * answered to a worker can be read by the next.
 */
#ifndef METAWARD_UNPRIV_DIALER_H
#define METAWARD_UNPRIV_DIALER_H

/**
 * Run the dialer on CHANNEL_FD until the parent closes it.
 *
 * @return an exit status: 0, or the step that failed
 */
int dialer_run(void);

#endif
