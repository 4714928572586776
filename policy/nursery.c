/*
 * The nursery's policy: start a worker, tell of its end, and what a worker needs until its own filter stands.
 *
 * The nursery reads nothing but the parent's messages. A filter is inherited and can only be narrowed, so
 * this one must contain the worker's calls and those of its start: the loader's part of a static executable,
 * reserving memory, Landlock, limits, its own filter. Opening files, changing identity, entering or making
 * namespaces, tracing, and every socket but a UNIX one are already gone, before a guest's first byte. Where
 * the agent is reached over TCP, by the dialer, it has no socket and no connect() at all.
 */
#include "policy/descriptors.h"
#include "policy/table.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct policy_line lines[] = {
    /* the nursery's own */
    BARE(ppoll, "wait for the parent"),
    PINNED(clone, "start a worker; no flag that would make a namespace or share memory", INT(0, SIGCHLD)),
    PINNED(execveat, "the worker's executable, on the descriptor opened by the parent, and nothing else",
           INT(0, NURSERY_EXECUTABLE_FD), INT(4, AT_EMPTY_PATH)),
    PINNED(wait4, "learn how a worker ended", INT(2, 0), NONE(3)),
    PINNED(kill, "end a worker that the parent has done with", INT(1, SIGKILL)),
    PINNED(dup3, "put a new worker's channel in its place", INT(1, CHANNEL_FD)),
    PINNED(dup3, "put a new worker's log in its place", INT(1, LOG_FD)),
    /* a worker's start: the C library */
    BARE(brk, "a worker's start: thread-local storage and the C library's buffers"),
    PINNED(mmap, "a worker's start: reserve all memory; none that could be executed", BITS(2, PROT_EXEC, 0)),
    BARE(madvise, "a worker's start: no huge pages"),
    PINNED(mprotect, "a worker's start: relocations made read-only, the agent's address made read-only",
           INT(2, PROT_READ)),
    BARE(arch_prctl, "a worker's start: thread-local storage"),
    BARE(set_tid_address, "a worker's start: C library"),
    BARE(set_robust_list, "a worker's start: C library"),
    BARE(rseq, "a worker's start: C library"),
    PINNED(prlimit64, "a worker's start: its own resource limits down to the floor", INT(0, 0)),
    BARE(getrandom, "a worker's start: the hash key, the allocator's secrets"),
    BARE(readlink, "a worker's start: C library looks for its own path and finds none"),
    /* a worker's start: its own steps */
    PINNED(fcntl, "a worker's start: which descriptors are open", INT(1, F_GETFD)),
    PINNED(getsockopt, "a worker's start: of which kind they are", INT(1, SOL_SOCKET)),
    BARE(getuid, "a worker's start: libevent asks whether it runs set-user-id"),
    BARE(geteuid, "a worker's start: libevent asks whether it runs set-user-id"),
    BARE(getgid, "a worker's start: libevent asks whether it runs set-group-id"),
    BARE(getegid, "a worker's start: libevent asks whether it runs set-group-id"),
    BARE(pipe2, "a worker's start: libevent makes a pair for signals, which is closed again"),
    BARE(epoll_create1, "a worker's start: libevent"),
    PINNED(prctl, "a worker's start: not dumpable", INT(0, PR_SET_DUMPABLE), NONE(1)),
    BARE(landlock_create_ruleset, "a worker's start: Landlock"),
    BARE(landlock_restrict_self, "a worker's start: Landlock"),
    PINNED(seccomp, "a worker's start: its own filter", INT(0, SECCOMP_SET_MODE_FILTER), INT(1, 0)),
    /* the worker's calls; its own filter pins them more closely */
    BARE(epoll_wait, "for the worker"),
    BARE(epoll_ctl, "for the worker"),
    BARE(recvfrom, "for the worker"),
    BARE(sendto, "for the worker and for the nursery's reports"),
    BARE(accept4, "for the worker"),
    PINNED(shutdown, "for the worker", INT(1, SHUT_WR)),
    BARE(close, "for the worker and the nursery"),
    PINNED(recvmsg, "the parent's orders, for both", INT(0, CHANNEL_FD),
           INT(2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)),
    BARE_UNUSED(clock_gettime, "for the worker",
                "answered by the vDSO where the clock source allows, without a system call"),
    BARE(exit_group, "for the worker and the nursery"),
};

/* How the agent is reached, and what a reader needs: parts of the tables below. */
#define FOR_SOCKET                                                                                           \
    PINNED(socket, "for the worker: UNIX stream sockets only", INT(0, AF_UNIX),                              \
           INT(1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC), INT(2, 0)),                                   \
        BARE(connect, "for the worker"),                                                                     \
    {                                                                                                        \
        .number = SYS_mseal, .name = "mseal",                                                                \
        .why = "a worker's start: seal the page of the agent's address (Linux 6.10)"                         \
    }

#define FOR_LINE                                                                                             \
    PINNED(recvmsg, "for the worker: connections from the dialer", INT(0, LINE_FD),                          \
           INT(2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC))

#define FOR_READER                                                                                           \
    PINNED(execveat, "the reader's executable, on the descriptor opened by the parent",                      \
           INT(0, NURSERY_READER_FD), INT(4, AT_EMPTY_PATH)),                                                \
        PINNED(dup3, "put something harmless in the place of a reader's stderr", INT(1, STDERR_FILENO)),     \
        PINNED(prctl, "a reader's start: no_new_privs, which it has", INT(0, PR_SET_NO_NEW_PRIVS),           \
               INT(1, 1))

static const struct policy_line by_socket[] = {
    FOR_SOCKET,
};

static const struct policy_line by_dialer[] = {
    FOR_LINE,
};

/* A host's proxy: its configuration is read again by a reader that the nursery starts. */
static const struct policy_line by_dialer_with_reader[] = {
    FOR_LINE,
    FOR_READER,
#ifndef METAWARD_SANITIZED /* there any read is allowed, see below */
    PINNED(read, "for the reader: the configuration", INT(0, READER_FILE_FD)),
#endif
};

/* The host daemon: its files are read again by a reader that the nursery starts, which gets them one by one.
 */
static const struct policy_line by_socket_with_reader[] = {
    FOR_SOCKET,
    FOR_READER,
    PINNED(recvmsg, "for the reader: the next file", INT(0, READER_ANSWER_FD), INT(2, MSG_CMSG_CLOEXEC)),
#ifndef METAWARD_SANITIZED /* there any read is allowed, see below */
    PINNED(read, "for the reader: its text", INT(0, READER_NEXT_FD)),
#endif
};

/* The sanitizers' runtimes start their own way in a worker that a sanitized nursery forks. */
MORE_WHERE_SANITIZED(DELTA(openat), DELTA(open), DELTA(mremap), DELTA(read), DELTA(lseek), DELTA(newfstatat));
POLICY_BY(nursery, lines, by_socket);
POLICY_BY(nursery_dialed, lines, by_dialer);
POLICY_BY(nursery_reload, lines, by_dialer_with_reader);
POLICY_BY(nursery_host, lines, by_socket_with_reader);
