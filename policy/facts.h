/*
 * What the kernel says of a child, compared with what its policy promises.
 *
 * The parent believes no child's word: before a listener is handed over it reads /proc/PID itself. Nothing is
 * parsed: the exact lines that must be there are built and looked for, so a kernel that says something else,
 * or less, fails the check.
 */
#ifndef METAWARD_POLICY_FACTS_H
#define METAWARD_POLICY_FACTS_H

#include <stdbool.h>
#include <sys/types.h>

struct facts {
    uid_t uid;
    gid_t gid;
    unsigned filters; /* how many system call filters must be loaded (facts_filters() before, and two) */
};

/**
 * How many system call filters this process has.
 *
 * @return the number, or -1 where /proc/self/status does not say (errno set) or says more than 64
 */
int facts_filters(void);

/**
 * Compare /proc/PID/status: user, group, no supplementary groups, no capability in any set, no_new_privs,
 * seccomp mode 2 with the right number of filters. This file is readable without any capability.
 *
 * @return NULL where all is as it must be, else a constant string with the first fact that is not
 */
const char *facts_status(pid_t pid, const struct facts *facts);

/* Of whom. */
enum facts_kind { FACTS_WORKER, FACTS_WORKER_DIALED, FACTS_DIALER };

/**
 * Compare /proc/PID/ns and /proc/PID/fd of a child that is ready and has nothing handed over yet: its PID,
 * network, mount, IPC, UTS and cgroup namespaces are not ours, but for the dialer's network, which is; its
 * descriptors are exactly the channel and, of a worker, log, epoll and the line to the dialer where there is
 * one. Reading these takes CAP_SYS_PTRACE, so the parent does it for the dialer and the first worker, before
 * it drops its own power; later workers come from the same nursery, whose filter allows no change of
 * namespace.
 *
 * @return as facts_status()
 */
const char *facts_surroundings(pid_t pid, enum facts_kind kind);

#endif
