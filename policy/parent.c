/*
 * The parent's policy, from the moment when its sockets exist and its capabilities are gone.
 *
 * What it still does: hold the listeners, make a channel for each new worker and hand the listeners over,
 * read what the kernel says of a worker, write the log, connect the log again, remove its pid file, and end.
 */
#include "policy/table.h"

#include <fcntl.h>
#include <sys/socket.h>

static const struct policy_line lines[] = {
    BARE(ppoll, "wait for children, signals and time"),
    BARE(rt_sigreturn, "come back from a signal's handler"),
    PINNED(recvmsg, "messages from worker and nursery", INT(2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)),
    PINNED(recvfrom, "the worker's lines for stderr", INT(3, MSG_DONTWAIT), NONE(4), NONE(5)),
    PINNED(sendmsg, "messages with descriptors", INT(2, MSG_NOSIGNAL | MSG_DONTWAIT)),
    PINNED(sendto, "messages without, and lines to the log", INT(3, MSG_NOSIGNAL | MSG_DONTWAIT), NONE(4),
           INT(5, 0)),
    PINNED(socketpair, "a channel for a new worker", INT(0, AF_UNIX),
           INT(1, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK), INT(2, 0)),
    PINNED(socketpair, "a new worker's log, where that is stderr", INT(0, AF_UNIX),
           INT(1, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK), INT(2, 0)),
    PINNED(socket, "a new worker's log, where that is syslog", INT(0, AF_UNIX),
           INT(1, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK), INT(2, 0)),
    PINNED(setsockopt, "have the kernel tell who sent a message", INT(1, SOL_SOCKET), INT(2, SO_PASSCRED)),
    PINNED(connect, "the log again after its daemon was restarted", ADDRESS(1), ADDRESS_LEN(2)),
    BARE(close, "the channel of a worker that ended"),
    PINNED(openat, "/proc/PID/status of a new worker, to read only", INT(0, AT_FDCWD),
           INT(2, O_RDONLY | O_CLOEXEC)),
    BARE(read, "the same file"),
    PINNED(write, "lines to stderr in the foreground", INT(0, 2)),
    BARE(wait4, "how the nursery ended"),
    BARE_UNUSED(clock_gettime, "pauses between starts of a worker",
                "answered by the vDSO where the clock source allows, without a system call"),
    PINNED(newfstatat, "is the pid file still ours", INT(0, AT_FDCWD), INT(3, AT_SYMLINK_NOFOLLOW)),
    PINNED(unlinkat, "remove our own pid file", INT(0, AT_FDCWD), INT(2, 0)),
    BARE(ftruncate, "empty our own pid file where it can't be removed"),
    BARE(exit_group, "the end"),
};

/* A host's proxy: SIGHUP has the configuration read again. */
static const struct policy_line for_reload[] = {
    PINNED(openat, "the configuration, to hand it to a reader", INT(0, AT_FDCWD),
           INT(2, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)),
    PINNED(newfstatat, "is it a regular file, and not too large", INT(3, AT_EMPTY_PATH)),
    PINNED(socketpair, "a channel for a reader, which may wait for room in it", INT(0, AF_UNIX),
           INT(1, SOCK_SEQPACKET | SOCK_CLOEXEC), INT(2, 0)),
};

MORE_WHERE_SANITIZED(DELTA(open), DELTA(readlink), DELTA(madvise), DELTA(mmap), DELTA(prctl), DELTA(lseek));
POLICY(parent, lines);
POLICY_BY(parent_reload, lines, for_reload);
