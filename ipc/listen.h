/*
 * A listening socket at an address of the network namespace that the caller is in.
 *
 * No SO_REUSEPORT: a second instance on the same address must fail. IPv6 addresses are bound freely
 * (IPV6_FREEBIND, Linux 4.15), so that a tentative one neither delays nor fails the start. TCP_NODELAY is set
 * here, for accepted sockets inherit it.
 */
#ifndef METAWARD_IPC_LISTEN_H
#define METAWARD_IPC_LISTEN_H

#include "ipc/address.h"

#include <stdbool.h>

/** A stream socket of the address's family, non-blocking, close-on-exec. @return -1 with errno set */
int listen_socket(const struct address *address);

/**
 * Set the options, bind and listen. May be tried again with the same socket.
 *
 * @param address with a port; with an interface, packets must come in by that one
 * @return false with errno set
 */
bool listen_at(int fd, const struct address *address);

/** Is the descriptor, from wherever, a listening stream socket at that address, by what the kernel says? In
 * which namespace it is can't be asked. */
bool listen_is(int fd, const struct address *address);

#endif
