/*
 * Addresses as keys of hash tables: network, family and IP count, port and interface do not.
 */
#ifndef METAWARD_UNPRIV_WORKER_ADDRESS_HASH_H
#define METAWARD_UNPRIV_WORKER_ADDRESS_HASH_H

#include "ipc/address.h"

/** Are both the same IP address? */
bool address_same_ip(const struct address *one, const struct address *other);

/** The hash of a network's number and an IP address under a key of 16 secret bytes; equal for addresses of
 * the network with the same IP. */
uint64_t address_hash(const uint8_t key[16], uint32_t network, const struct address *address);

#endif
