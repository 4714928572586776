/*
 * The namespaces that networks live in: into each as soon as it is there, out of it as soon as its name is
 * gone.
 *
 * A listening socket keeps its namespace alive, and with it the devices in there, so a network's sockets must
 * not outlive the namespace's name. The kernel tells when a name below /run/netns comes or goes (inotify) and
 * when something is mounted or unmounted (/proc/self/mountinfo); names elsewhere are looked at by time. What
 * a name stands for is known by device and inode.
 */
#ifndef METAWARD_PRIV_HOST_NAMESPACES_H
#define METAWARD_PRIV_HOST_NAMESPACES_H

#include "priv/host/networks.h"

/** Open what is watched and where to come back to. @return 0, or the step that failed, reported */
int namespaces_begin(void);

/**
 * Compare a network's namespace with what its name stands for now: make the listeners that are missing, close
 * those of a namespace that is gone. What can't be done is tried again later, by itself.
 */
void namespaces_look(struct host_network *network);

/** Is the namespace that the network is in the one behind this descriptor or, where that is -1, this name? */
bool namespaces_same(const struct host_network *network, int netns, const char *name);

/** Does a namespace's name, or path, stand for the one behind the descriptor? */
bool namespaces_named(const char *name, int netns);

#endif
