/*
 * Everything that confines a child, apart from the system call filter.
 *
 * The order is part of the design; each step names itself when it fails and ends the process, and there is no
 * switch that leaves one out. confine_before_exec() runs in the child that the parent has cloned into new
 * namespaces, while it still has root's power, so the executable behind it starts with none. The steps from
 * "memory" on are the worker's own (lockdown.h, inventory.h, filter.h).
 *
 *     clone          new PID, network, mount, IPC, UTS and cgroup namespaces: nobody to see, nothing to reach
 *     session        a session of its own: no terminal
 *     root           the directory of the agent's socket becomes the root, read-only, nosuid, nodev, noexec
 *     limits         no core, no files written, no locked memory, no message queues
 *     capabilities   bounding and ambient sets empty, securebits locked
 *     user           group, supplementary groups (none), user; no way back, and that is tried
 *     no_new_privs   nothing that is executed can give power again
 *     parent death   SIGKILL when the parent ends, where the kernel lets it: from one that has given up its
 *                    power no signal goes to another user. The nursery ends at its channel's end all the same
 *     descriptors    exactly those that are named
 *     exec           execveat() on a descriptor, with an empty environment: the nursery
 *     filter         the nursery's
 *     fork and exec  the worker, in an address space of its own
 *     memory         everything reserved
 *     dumpable       off: /proc/PID belongs to root, no trace, no core
 *     limits         no processes, no more descriptors than the limits can need
 *     Landlock       where the kernel has it: no file, no TCP, no abstract socket, no signal outside
 *     inventory      the descriptors are exactly the expected ones
 *     filter         the worker's
 *
 * The dialer of an agent over TCP comes by the same steps as the nursery, but keeps the network namespace.
 * Its root, and then that of nursery and worker too, is a file system that holds nothing. Its own steps are
 * "dumpable" to "filter"; Landlock leaves it one TCP port.
 */
#ifndef METAWARD_POLICY_CONFINE_H
#define METAWARD_POLICY_CONFINE_H

#include "ipc/steps.h"

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

struct confinement {
    uid_t uid;          /* not 0 */
    gid_t gid;          /* not 0 */
    int root;           /* from confine_tree() */
    rlim_t descriptors; /* the most that a child may hold */
    int channel;        /* the child's end; CHANNEL_FD from step "descriptors" on */
    int executable;     /* goes to its place in policy/descriptors.h; the dialer closes it */
    int reader;         /* O_PATH: the reader's executable, goes to its place as well; 0: none */
    int directory;      /* O_PATH: the agent's, or -1; only a sanitized child looks at it */
};

/* The flags for the clone() that makes the nursery; the dialer's are the same without CLONE_NEWNET. */
extern const unsigned long confine_namespaces;

/**
 * Make the child's root out of the directory of the agent's socket: a detached mount of it, read-only,
 * nosuid, nodev, noexec, without symbolic links (Linux 5.12). It is the directory that is mounted, not the
 * socket, so a socket that the agent makes anew is found again. In the parent, before the clone.
 *
 * @param directory O_PATH descriptor; -1: a file system of its own that holds nothing, with the same flags
 * @return a descriptor of the mount, close-on-exec; -1 with errno set
 */
int confine_tree(int directory);

/**
 * Steps "session" to "descriptors", in the child, single-threaded.
 *
 * @return 0, or the step that failed with errno set; the child must then end
 */
int confine_before_exec(struct confinement *confinement);

/**
 * Confine a child that helps the parent to start: the reader of configurations, whose filter follows as its
 * first act, and who looks up the agent's name. No core, no file written, no process, few descriptors, two
 * seconds of processor time; nobody's ids, no group, no capability; no_new_privs; SIGKILL when the parent
 * ends.
 *
 * @return as above
 */
int confine_helper(void);

/**
 * The parent's own: give up supplementary groups and every capability for good, set no_new_privs, not
 * dumpable.
 *
 * @return as above
 */
int confine_parent(void);

/**
 * The launcher's: no capability in any set, not dumpable, and its nursery's user and group. For the kernel
 * asks whether a parent may send the signal that its death is to send: without power, only to its own user.
 *
 * @return as above
 */
int confine_launcher(uid_t uid, gid_t gid);

/**
 * The host daemon's: as confine_parent(), but for two capabilities that stay permitted and effective, and go
 * no further, for nothing is executed any more.
 *
 *     CAP_SYS_ADMIN         setns() into a network's namespace
 *     CAP_NET_BIND_SERVICE  bind() to port 80 in there
 *
 * @return as above
 */
int confine_host(void);

/**
 * Raise a limit of this process, soft and hard, to `value`, or as far as that goes: the hard one takes
 * CAP_SYS_RESOURCE. Before power is given up.
 *
 * @return the soft limit then
 */
rlim_t confine_raise(__rlimit_resource_t resource, rlim_t value);

#endif
