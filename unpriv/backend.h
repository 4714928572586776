/*
 * The one address that the worker may connect to.
 *
 * It lies in a page of its own that is read-only and, from Linux 6.10 on, sealed. The filter pins connect()
 * to this pointer and length, and no call that could change a mapping is left, so the address is fixed for
 * good.
 */
#ifndef METAWARD_UNPRIV_BACKEND_H
#define METAWARD_UNPRIV_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/**
 * Write the address into its page and make the page read-only and sealed. Once, before confinement.
 *
 * @param path absolute, as the worker's root shows it, shorter than sizeof(sun_path)
 * @return false with errno set
 */
bool backend_pin(const char *path);

/** The pinned address, for the filter and for connect(). */
const struct sockaddr *backend_address(void);

/** Its length in bytes. */
socklen_t backend_length(void);

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
