/*
 * The agent's socket: its path, pinned (pinned.h), and connections to it.
 */
#ifndef METAWARD_UNPRIV_BACKEND_H
#define METAWARD_UNPRIV_BACKEND_H

#include <stdbool.h>

/**
 * Pin the socket's address. Once, before confinement.
 *
 * @param path absolute, as the worker's root shows it, shorter than sizeof(sun_path)
 * @return false with errno set
 */
bool backend_pin(const char *path);

/**
 * Open a connection to the agent: socket() and connect(), both non-blocking.
 *
 * A UNIX socket connects at once or fails at once: EAGAIN (backlog full: try again later, epoll can't wait
 * for it), ENOENT or ECONNREFUSED (no agent), EACCES (not ours to use), EMFILE.
 *
 * @return a descriptor, close-on-exec and non-blocking; -1 with errno set
 */
int backend_connect(void);

#endif
