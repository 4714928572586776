/*
 * What distinguishes one network from the others that the same worker serves, as one fixed-size structure
 * that travels in a message.
 *
 * It says who the network's requests are stamped as, under which name its lines are logged and how often its
 * guests may ask. All that is the same for every network is in settings.h. Strings are zero-filled arrays;
 * unused and reserved bytes are zero.
 */
#ifndef METAWARD_IPC_NETWORK_H
#define METAWARD_IPC_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETWORK_UUID_SIZE 40 /* 36 bytes of UUID, zero-filled */
#define NETWORK_TAG_SIZE  80
#define NETWORK_RATES     2 /* a base rate and one for bursts */

/* Which header tells the agent who asked; the value is the uuid. */
enum identity_header {
    IDENTITY_NONE = 0,
    IDENTITY_NEUTRON_NETWORK, /* X-Neutron-Network-ID */
    IDENTITY_NEUTRON_ROUTER,  /* X-Neutron-Router-ID */
    IDENTITY_OVN_NETWORK,     /* X-OVN-Network-ID */
    IDENTITY_OVN_ROUTER,      /* X-OVN-Router-ID */
    IDENTITY_INSTANCE,        /* no uuid of the network's own: each guest by its record, see instance.h */
    IDENTITY_COUNT
};

/* At most `limit` requests of one guest address within any `period_s` seconds; both 0: as many as it likes.
 */
struct rate_limit {
    uint32_t period_s; /* 1 to RATE_PERIOD_MOST */
    uint32_t limit;    /* 1 to RATE_LIMIT_MOST */
};

#define RATE_PERIOD_MOST 86400U
#define RATE_LIMIT_MOST  1000000U

struct network {
    uint8_t identity;    /* enum identity_header, not IDENTITY_NONE */
    uint8_t rate_shadow; /* 1: a request beyond a rate is logged, not refused; needs a rate */
    uint8_t reserved[2];
    struct rate_limit rate[NETWORK_RATES]; /* each holds by itself; the second one only beside a first */
    char uuid[NETWORK_UUID_SIZE];          /* the identity's value, as given; empty for IDENTITY_INSTANCE */
    char log_tag[NETWORK_TAG_SIZE];        /* of its syslog lines; empty: "metaward-" and the uuid */
};

/**
 * Check a whole structure, as it came from a message.
 *
 * @return NULL where it is good, else a constant string naming the first field that is not
 */
const char *network_valid(const struct network *network);

/** Is each rate unused or in its range, and none used behind an unused one? */
bool rates_valid(const struct rate_limit rate[NETWORK_RATES]);

/**
 * May the text be a syslog line's tag? 1 to NETWORK_TAG_SIZE - 1 printable ASCII characters without blanks;
 * ':' and '[' would end the tag (RFC 3164 section 4.1.3).
 */
bool log_tag_valid(const char *tag);

/**
 * Write the name under which the network's lines are logged: its tag or, where it has none and where tags
 * have no meaning (in a log that is not syslog), "metaward-" and the uuid.
 *
 * @param to_syslog do the lines go to syslog?
 * @param out    zero-filled
 */
void network_log_name(const struct network *network, bool to_syslog, char out[NETWORK_TAG_SIZE]);

/** The enum identity_header of X-OVN-... or X-Neutron-..., for a router or a network. */
uint8_t identity_header_of(bool ovn, bool router);

/** What the network is called where a word is needed: its uuid, or "host" for IDENTITY_INSTANCE. */
const char *network_word(const struct network *network);

/** The identity header's canonical name ("X-Neutron-Network-ID"); NULL for IDENTITY_NONE, IDENTITY_INSTANCE
 * and unknown numbers. */
const char *identity_header_name(uint8_t identity);

#endif
