/*
 * The policy of a lease's holder: be there, ask the host daemon again, remove the pid file, end.
 *
 * The only address that it can connect to is the daemon's, and all that it has to give is the descriptor of
 * the network namespace that it was started in.
 */
#include "policy/table.h"

#include <fcntl.h>
#include <sys/socket.h>

static const struct policy_line lines[] = {
    BARE(ppoll, "wait for the daemon, signals and time"),
    BARE(rt_sigreturn, "come back from a signal's handler"),
    PINNED(recvmsg, "the daemon's answer", INT(2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)),
    PINNED(sendmsg, "ask for the lease", INT(2, MSG_NOSIGNAL | MSG_DONTWAIT)),
    PINNED(sendto, "let the process go that waits for the start's end", INT(3, MSG_NOSIGNAL | MSG_DONTWAIT),
           NONE(4), INT(5, 0)),
    PINNED(socket, "a new connection to the daemon", INT(0, AF_UNIX),
           INT(1, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK), INT(2, 0)),
    PINNED(connect, "to the daemon's address", ADDRESS(1), ADDRESS_LEN(2)),
    PINNED(getsockopt, "is it the daemon", INT(1, SOL_SOCKET), INT(2, SO_PEERCRED)),
    BARE(close, "a connection that ended"),
    BARE_UNUSED(clock_gettime, "pauses between two tries",
                "answered by the vDSO where the clock source allows, without a system call"),
    BARE(setfsuid, "be the user that may remove the pid file"),
    PINNED(newfstatat, "is the pid file still ours", INT(0, AT_FDCWD), INT(3, AT_SYMLINK_NOFOLLOW)),
    PINNED(unlinkat, "remove our own pid file", INT(0, AT_FDCWD), INT(2, 0)),
    BARE(ftruncate, "empty our own pid file where it can't be removed"),
    BARE(exit_group, "the end"),
};

MORE_WHERE_SANITIZED(DELTA(open), DELTA(readlink), DELTA(madvise), DELTA(mmap), DELTA(prctl), DELTA(lseek));
POLICY(lease, lines);
