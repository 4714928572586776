/*
 * A guest that is known by its address, and what is stamped on its requests.
 *
 * The host-wide proxy of Neutron's metadata_path extension serves the guests of all networks on a host: each
 * has an address of its own there, and the configuration names the instance, its project and Nova's signature
 * for it. These records are what the reader makes of that. They travel to the parent, and from there to the
 * worker, in batches; both check each one with instance_valid() and believe no count.
 */
#ifndef METAWARD_IPC_INSTANCE_H
#define METAWARD_IPC_INSTANCE_H

#include "ipc/address.h"

#define INSTANCES_MOST          16384U /* of one host */
#define INSTANCE_ID_SIZE        40     /* 36 bytes of UUID, zero-filled */
#define INSTANCE_TENANT_SIZE    68     /* at most 64 bytes */
#define INSTANCE_SIGNATURE_SIZE 68     /* at most 64 bytes: HMAC-SHA-256 in hexadecimal */

/* The headers, in the order in which they are written. */
#define INSTANCE_ID_HEADER        "X-Instance-ID"
#define INSTANCE_TENANT_HEADER    "X-Tenant-ID"
#define INSTANCE_SIGNATURE_HEADER "X-Instance-ID-Signature"

struct instance {
    uint8_t family;   /* enum address_family */
    uint8_t reserved; /* zero, */
    uint16_t port;    /* and so is this */
    uint8_t ip[16];   /* as in struct address; never an IPv4-mapped IPv6 address, which is IPv4 */
    char id[INSTANCE_ID_SIZE];
    char tenant[INSTANCE_TENANT_SIZE];
    char signature[INSTANCE_SIGNATURE_SIZE];
};

#define INSTANCE_BATCH 4 /* so that a message becomes no larger by it */

/* Some of the records of one table, in one piece. Batches follow each other without a gap. */
struct instance_batch {
    uint32_t total; /* records of the table, INSTANCES_MOST at most */
    uint32_t first; /* number of the first one here */
    uint32_t count; /* here; 0 only where total is 0 */
    struct instance entry[INSTANCE_BATCH];
};

/** Is the text a project's id: 1 to 64 letters, digits, '.', '_' and '-', of which a letter or digit first?
 */
bool instance_tenant_valid(const char *tenant);

/** Is the text a signature: 1 to 64 hexadecimal digits? */
bool instance_signature_valid(const char *signature);

/**
 * Is every field of a record good, whoever sent it? One guest address, not 0.0.0.0 or ::; a UUID; the two
 * texts as above; everything behind them zero.
 */
bool instance_valid(const struct instance *instance);

/** Is it a batch of some table: numbers in their ranges, each record good, unused ones zero? */
bool instance_batch_valid(const struct instance_batch *batch);

#endif
