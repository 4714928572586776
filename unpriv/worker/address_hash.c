/*
 * Addresses as keys. See address_hash.h.
 */
#include "unpriv/worker/address_hash.h"

#include "unpriv/worker/siphash.h"

#include <string.h>

bool address_same_ip(const struct address *one, const struct address *other)
{
    return one->family == other->family && memcmp(one->ip, other->ip, sizeof(one->ip)) == 0;
}

uint64_t address_hash(const uint8_t key[16], uint32_t network, const struct address *address)
{
    uint8_t bytes[sizeof(network) + 1 + sizeof(address->ip)];

    memcpy(bytes, &network, sizeof(network));
    bytes[sizeof(network)] = address->family;
    memcpy(bytes + sizeof(network) + 1, address->ip, sizeof(address->ip));
    return siphash(key, bytes, sizeof(bytes));
}
