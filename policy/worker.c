/*
 * The worker's policy: twelve system calls, pinned wherever a value is known.
 *
 * The worker is what the guests talk to. It can accept, receive, send, close, wait, and connect to one
 * address that it cannot change. It can't name anything else: no path, no process, no other address, no new
 * descriptor kind, no new memory. The pin on connect() is a pointer, and it holds because no call that could
 * change a mapping is left. Where the agent is reached over TCP it can't connect at all: the dialer does, and
 * hands it the connections.
 */
#include "policy/descriptors.h"
#include "policy/table.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

static const struct policy_line lines[] = {
    PINNED(epoll_wait, "wait for guests, the agent, the channel and time", INT(0, EPOLL_FD)),
    PINNED(epoll_ctl, "watch a new connection, stop watching an old one", INT(0, EPOLL_FD)),
    PINNED(recvfrom, "read from guests and from the agent; no address asked for", INT(3, 0), NONE(4),
           NONE(5)),
    PINNED(sendto, "write to guests, the agent, the log and the channel; to connected sockets only",
           INT(3, MSG_NOSIGNAL | MSG_DONTWAIT), NONE(4), INT(5, 0)),
    PINNED(accept4, "take a guest's connection from a listener", INT(3, SOCK_NONBLOCK | SOCK_CLOEXEC)),
    PINNED(shutdown, "end our half first, so that a refused guest can read why", INT(1, SHUT_WR)),
    BARE(close, "connections end"),
    PINNED(recvmsg, "listeners and orders from the parent", INT(0, CHANNEL_FD),
           INT(2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)),
    BARE_UNUSED(clock_gettime, "time-outs and the time in log lines",
                "answered by the vDSO where the clock source allows, without a system call"),
    BARE(exit_group, "end after a drain or when the parent is gone"),
    REFUSED_UNUSED(mmap, ENOMEM, "memory is fixed; a library that asks hears that there is none",
                   "nothing asks"),
    REFUSED_UNUSED(mprotect, ENOMEM, "memory is fixed", "nothing asks"),
    REFUSED_UNUSED(madvise, ENOMEM, "memory is fixed", "nothing asks"),
    REFUSED_UNUSED(brk, ENOMEM, "memory is fixed", "nothing asks"),
};

/* To the agent's socket. */
static const struct policy_line by_socket[] = {
    PINNED(socket, "a stream socket for one request to the agent", INT(0, AF_UNIX),
           INT(1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC), INT(2, 0)),
    PINNED(connect, "to the agent's address, which lies in a read-only page", ADDRESS(1), ADDRESS_LEN(2)),
};

/* To an agent over TCP. */
static const struct policy_line by_dialer[] = {
    PINNED(recvmsg, "connections to the agent, which the dialer makes", INT(0, LINE_FD),
           INT(2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)),
};

MORE_WHERE_SANITIZED(DELTA(write), DELTA(readlink), DELTA(openat), DELTA(open));
POLICY_BY(worker, lines, by_socket);
POLICY_BY(worker_dialed, lines, by_dialer);
