/*
 * Where the agent is reached over TCP: a host as text, and a port.
 *
 * The host is an IPv4 or IPv6 address, or a name as RFC 1123 has them. A name is only text here;
 * policy/resolve.h makes an address of it, once, before anything is confined.
 */
#ifndef METAWARD_IPC_ENDPOINT_H
#define METAWARD_IPC_ENDPOINT_H

#include "ipc/address.h"

#include <stdbool.h>
#include <stdint.h>

#define ENDPOINT_HOST_SIZE 256 /* a name has at most 253 bytes (RFC 1123 section 2.1 with RFC 1035 2.3.4) */

/**
 * Split HOST:PORT, with an IPv6 address in brackets, and check both.
 *
 * @param text NUL-terminated
 * @param host zero-filled, without brackets; written only on success
 * @return NULL on success, else a constant string that says what is wrong
 */
const char *endpoint_split(const char *text, char host[ENDPOINT_HOST_SIZE], uint16_t *port);

/**
 * May the text be a host: an address that a connection can be made to, IPv6 without brackets, or a name?
 *
 * A name is 1 to 253 bytes: labels of 1 to 63 letters, digits and '-', which neither starts nor ends one,
 * with '.' between them. The last label is not all digits, so that no name looks like an address written in
 * an odd way.
 *
 * @return NULL where it may, else a constant string that says what is wrong
 */
const char *endpoint_host_check(const char *host);

/**
 * The address that a host is in itself.
 *
 * @param port 1 to 65535
 * @return false where it is a name; `out` is then not written
 */
bool endpoint_literal(const char *host, uint16_t port, struct address *out);

/**
 * Can a connection be made to this address as it stands? Not to the unspecified, the broadcast and a
 * multicast address, nor to a link-local IPv6 address, which means nothing without an interface.
 *
 * @param address valid by address_valid()
 */
bool endpoint_reachable(const struct address *address);

#endif
