/*
 * The dialer's policy: nine system calls.
 *
 * The dialer is the only process that can reach a network: it lives in the host's. It can make a socket of
 * one family, connect it to one address that it cannot change, and hand it to the worker. It can't read,
 * write, bind, listen or accept, and never sees a byte of what goes over a connection.
 */
#include "policy/descriptors.h"
#include "policy/table.h"

#include <sys/socket.h>

static const struct policy_line lines[] = {
    BARE(ppoll, "wait for the worker and the parent"),
    PINNED(recvfrom, "a worker asks for a connection", INT(0, DIALER_LINE_FD), INT(3, MSG_DONTWAIT), NONE(4),
           NONE(5)),
    PINNED(socket, "a stream socket for one request to the agent", FAMILY(0),
           INT(1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC), INT(2, 0)),
    PINNED(connect, "to the agent's address, which lies in a read-only page", ADDRESS(1), ADDRESS_LEN(2)),
    PINNED(sendmsg, "hand the connection to the worker", INT(0, DIALER_LINE_FD),
           INT(2, MSG_NOSIGNAL | MSG_DONTWAIT)),
    BARE(close, "our copy of a connection, and the line to a worker that ended"),
    PINNED(recvmsg, "the line to a new worker, from the parent", INT(0, CHANNEL_FD),
           INT(2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)),
    PINNED(sendto, "tell the worker why there is none", INT(0, DIALER_LINE_FD),
           INT(3, MSG_NOSIGNAL | MSG_DONTWAIT), NONE(4), INT(5, 0)),
    PINNED(sendto, "tell the parent that all this holds", INT(0, CHANNEL_FD),
           INT(3, MSG_NOSIGNAL | MSG_DONTWAIT), NONE(4), INT(5, 0)),
    BARE(exit_group, "the end, when the parent is gone"),
};

MORE_WHERE_SANITIZED(DELTA(write), DELTA(readlink), DELTA(openat), DELTA(open), DELTA(mmap));
POLICY(dialer, lines);
