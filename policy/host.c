/*
 * The host daemon's policy, from the moment when its first worker serves.
 *
 * It does what the single network's parent does (parent.c), and besides: it enters network namespaces, and
 * nothing else of a namespace, makes listening sockets in there, and watches for namespaces that come and go.
 * It starts no process and executes nothing: the nursery does that, without power.
 */
#include "policy/netns.h"
#include "policy/table.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

static const struct policy_line lines[] = {
    BARE(epoll_pwait, "wait for children, clients, namespaces, signals and time"),
    BARE(epoll_ctl, "what to wait for"),
    BARE(ppoll, "let signals in; has stderr room"),
    BARE(rt_sigreturn, "come back from a signal's handler"),
    /* children and log, as the single network's parent has them */
    PINNED(recvmsg, "messages from workers and nursery", INT(2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)),
    PINNED(recvfrom, "a worker's lines for stderr", INT(3, MSG_DONTWAIT), NONE(4), NONE(5)),
    PINNED(sendmsg, "messages with descriptors", INT(2, MSG_NOSIGNAL | MSG_DONTWAIT)),
    PINNED(sendto, "messages without, lines to the log, words to the service manager",
           INT(3, MSG_NOSIGNAL | MSG_DONTWAIT), NONE(4), INT(5, 0)),
    PINNED(socketpair, "a channel for a new worker", INT(0, AF_UNIX),
           INT(1, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK), INT(2, 0)),
    PINNED(socketpair, "a new worker's log, where that is stderr", INT(0, AF_UNIX),
           INT(1, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK), INT(2, 0)),
    PINNED(socketpair, "a channel for a reader, who waits where it has no room", INT(0, AF_UNIX),
           INT(1, SOCK_SEQPACKET | SOCK_CLOEXEC), INT(2, 0)),
    PINNED(socket, "a new worker's log, where that is syslog", INT(0, AF_UNIX),
           INT(1, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK), INT(2, 0)),
    PINNED(connect, "the log again after its daemon was restarted", ADDRESS(1), ADDRESS_LEN(2)),
    PINNED(write, "lines to stderr in the foreground", INT(0, 2)),
    BARE(wait4, "how the nursery ended"),
    /* namespaces */
    PINNED(setns, "into a network's namespace, and back", INT(1, CLONE_NEWNET)),
    PINNED(ioctl, "is it a network namespace", INT(1, NS_GET_NSTYPE)),
    PINNED(openat, "a namespace's name; files of networks; /proc/PID/status of a new worker; to read only",
           INT(0, AT_FDCWD), BITS(2, O_ACCMODE | O_CREAT | O_TRUNC | O_PATH, 0)),
    BARE(read, "that status; which names came and went"),
    BARE(getdents64, "which files there are of networks"),
    BARE(newfstatat, "what a name stands for now"),
    PINNED(inotify_add_watch, "the directory of names, where it was not there before",
           INT(2, NETNS_NAMES_WATCH)),
    /* listeners */
    PINNED(socket, "a listener", INT(0, AF_INET), INT(1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC),
           INT(2, 0)),
    PINNED(socket, "a listener", INT(0, AF_INET6), INT(1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC),
           INT(2, 0)),
    PINNED(socket, "the number of an interface", INT(0, AF_UNIX), INT(1, SOCK_DGRAM | SOCK_CLOEXEC),
           INT(2, 0)),
    PINNED(ioctl, "the number of an interface", INT(1, SIOCGIFINDEX)),
    /* the control socket, and what workers count */
    PINNED(accept4, "a client of the control socket", INT(3, SOCK_NONBLOCK | SOCK_CLOEXEC)),
    PINNED(getsockopt, "who the client is", INT(1, SOL_SOCKET), INT(2, SO_PEERCRED)),
    PINNED(getsockopt, "which groups the client is in", INT(1, SOL_SOCKET), INT(2, SO_PEERGROUPS)),
    PINNED(memfd_create, "memory in which a new worker counts", INT(1, MFD_CLOEXEC | MFD_ALLOW_SEALING)),
    PINNED(fcntl, "its size is fixed", INT(1, F_ADD_SEALS),
           INT(2, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)),
    BARE(ftruncate, "as large as its networks need"),
    BARE(pread64, "what a worker has counted"),
    /* how messages come */
    PINNED(setsockopt, "have the kernel tell who sent a message", INT(1, SOL_SOCKET), INT(2, SO_PASSCRED)),
    PINNED(setsockopt, "a listener", INT(1, SOL_SOCKET), INT(2, SO_REUSEADDR)),
    PINNED(setsockopt, "a listener of one interface", INT(1, SOL_SOCKET), INT(2, SO_BINDTODEVICE)),
    PINNED(setsockopt, "a listener", INT(1, IPPROTO_TCP), INT(2, TCP_NODELAY)),
    PINNED(setsockopt, "a listener for both families, or for one", INT(1, IPPROTO_IPV6), INT(2, IPV6_V6ONLY)),
    PINNED(setsockopt, "a listener at an address that is tentative", INT(1, IPPROTO_IPV6),
           INT(2, IPV6_FREEBIND)),
    BARE(bind, "a listener"),
    BARE(listen, "a listener"),
    /* and the end */
    BARE(close, "sockets, namespaces, channels"),
    BARE_UNUSED(clock_gettime, "when something is due",
                "answered by the vDSO where the clock source allows, without a system call"),
    BARE(exit_group, "the end"),
};

MORE_WHERE_SANITIZED(DELTA(open), DELTA(readlink), DELTA(madvise), DELTA(mmap), DELTA(prctl), DELTA(lseek));
POLICY(host, lines);
