/*
 * A lease: a network that the host daemon serves for somebody, as long as that one holds its connection.
 *
 * Where the host daemon runs, the drop-in parses its configuration as ever, but then hands its network
 * namespace and its listeners' addresses to the daemon, and becomes a process of almost no memory
 * (priv/lease/) that holds the connection, the pid file and the command line by which it is found. Its end,
 * however it comes, is the end of the connection, and so of the network. When the daemon ends, the holder
 * asks again until there is one.
 */
#ifndef METAWARD_IPC_LEASE_H
#define METAWARD_IPC_LEASE_H

#include "ipc/config.h"
#include "ipc/control.h"
#include "ipc/pidfile.h"

#include <sys/un.h>

/* What the drop-in leaves to the process that it becomes, on the descriptor LEASE_RECORD_FD. */
struct lease {
    struct network_spec spec;
    struct pidfile pidfile; /* its name empty: there is none; else its directory is the working directory */
    bool starter_waits;     /* LEASE_STARTER_FD is open: tell it that all is well */
};

/** Where the host daemon is asked. Constant; the holder's policy pins it. */
extern const struct sockaddr_un lease_daemon;

/**
 * Describe one network of a single-network configuration for the daemon.
 *
 * @return false where the daemon can't serve it: guests by address, an agent over TCP, too many listeners
 */
bool lease_describe(const struct config *config, struct network_spec *spec);

/**
 * Connect to the daemon, which must run as user 0. Non-blocking, close-on-exec.
 *
 * @return a descriptor, the caller's; -1 with errno set (ENOENT, ECONNREFUSED: there is no daemon now)
 */
int lease_connect(void);

/**
 * Ask for a lease; the answer is a reply of its own.
 *
 * @param netns the network namespace; stays the caller's
 */
enum channel_result lease_ask(int fd, const struct network_spec *spec, int netns);

/**
 * Wait for the answer, for `wait_ms` at most.
 *
 * @param reply filled in where CHANNEL_OK is returned: CONTROL_OK, or CONTROL_ERROR with its reason
 */
enum channel_result lease_answer(int fd, int wait_ms, struct control_reply *reply);

#endif
