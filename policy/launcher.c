/*
 * The launcher's policy, from the moment when the host daemon has settled: be the nursery's parent, tell of
 * its end, and end.
 */
#include "policy/table.h"

#include <sys/socket.h>
#include <sys/wait.h>

static const struct policy_line lines[] = {
    BARE(ppoll, "wait for the daemon, the nursery and signals"),
    BARE(rt_sigreturn, "come back from a signal's handler"),
    PINNED(recvmsg, "the daemon's end", INT(2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)),
    PINNED(sendto, "the nursery's end, to the daemon", INT(3, MSG_NOSIGNAL | MSG_DONTWAIT), NONE(4),
           INT(5, 0)),
    PINNED(wait4, "how the nursery ended", INT(2, WNOHANG), NONE(3)),
    PINNED(write, "a line to stderr where something else comes", INT(0, 2)),
    BARE(close, "the connection"),
    BARE_UNUSED(clock_gettime, "how long the nursery may take to end",
                "answered by the vDSO where the clock source allows, without a system call"),
    BARE(exit_group, "the end"),
};

MORE_WHERE_SANITIZED(DELTA(open), DELTA(readlink), DELTA(madvise), DELTA(mmap), DELTA(prctl), DELTA(lseek));
POLICY(launcher, lines);
