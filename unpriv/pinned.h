/*
 * The one address that a process may connect to.
 *
 * It lies in a page of its own that is read-only and, from Linux 6.10 on, sealed. The filter pins connect()
 * to this pointer and length, and no call that could change a mapping is left, so the address is fixed for
 * good.
 */
#ifndef METAWARD_UNPRIV_PINNED_H
#define METAWARD_UNPRIV_PINNED_H

#include <stdbool.h>
#include <sys/socket.h>

/**
 * Write the address into its page and make the page read-only and sealed. Once, before confinement.
 *
 * @param address `length` bytes, a page at most
 * @return false with errno set
 */
bool pinned_write(const void *address, socklen_t length);

/** The pinned address, for the filter and for connect(). */
const struct sockaddr *pinned_address(void);

/** Its length in bytes. */
socklen_t pinned_length(void);

#endif
