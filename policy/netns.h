/*
 * Into a network namespace, and back.
 *
 * The namespace is a descriptor, and the kernel must say that it is one of a network. Being unable to come
 * back is an error of its own, and it is looked at whether we are back: whoever went in and stayed must end.
 */
#ifndef METAWARD_POLICY_NETNS_H
#define METAWARD_POLICY_NETNS_H

#include <stdbool.h>
#include <sys/inotify.h>

/* What is watched of a directory of namespaces' names. */
#define NETNS_NAMES_WATCH (IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR)

/**
 * Is it a network namespace's? setns() takes descriptors of processes as well, and then enters what whoever
 * handed that over may have no right to.
 *
 * @return false with errno set, EINVAL where it is of another kind
 */
bool netns_is(int fd);

/**
 * Open a namespace's file.
 *
 * @return a descriptor, the caller's; -1 with errno set, EINVAL where it is not a network namespace
 */
int netns_open(const char *path);

/** Does a path stand for the namespace behind the descriptor? It is not opened: there may be no descriptor
 * for that. */
bool netns_same(int netns, const char *path);

/**
 * Work inside a namespace. Takes CAP_SYS_ADMIN.
 *
 * @param home   from netns_open("/proc/self/ns/net")
 * @param inside from netns_open()
 * @param work   called inside; its result is stored in *result
 * @return false with errno set where we could not go in (*result is -1), or are not back
 */
bool netns_inside(int home, int inside, int (*work)(void *context), void *context, int *result);

#endif
