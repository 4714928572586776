/*
 * Addresses as keys of hash tables: family and IP count, port and interface do not.
 */
#ifndef METAWARD_UNPRIV_WORKER_ADDRESS_HASH_H
#define METAWARD_UNPRIV_WORKER_ADDRESS_HASH_H

#include "ipc/address.h"

/** Are both the same IP address? */
bool address_same_ip(const struct address *one, const struct address *other);

/** The hash of the IP address under a key of 16 secret bytes; equal for addresses with the same IP. */
uint64_t address_hash(const uint8_t key[16], const struct address *address);

#endif
