/*
 * One network that the host daemon is told to serve: who it is, where it is, and where its guests ask.
 *
 * It comes from a file in networks.d by way of the reader, or from a client of the control socket; both are
 * judged by the same network_spec_valid(). Strings are zero-filled arrays; unused and reserved bytes are
 * zero, so that two of them are compared byte by byte.
 */
#ifndef METAWARD_IPC_NETWORK_SPEC_H
#define METAWARD_IPC_NETWORK_SPEC_H

#include "ipc/address.h"
#include "ipc/config.h"
#include "ipc/network.h"

#define SPEC_LISTENERS_MAX 4

struct network_spec {
    struct network network;
    struct address listeners[SPEC_LISTENERS_MAX]; /* from the first, none twice */
    uint8_t listener_count;                       /* 1 to SPEC_LISTENERS_MAX */
    uint8_t reserved[3];
    char
        netns[CONFIG_PATH_SIZE]; /* absolute path, or a name below /run/netns; empty: given as a descriptor */
};

/* What a network has that its file does not say: the section [network defaults]. */
struct network_defaults {
    struct rate_limit rate[NETWORK_RATES];        /* both 0: none */
    struct address listeners[SPEC_LISTENERS_MAX]; /* as in struct network_spec */
    uint8_t listener_count;                       /* 1 to SPEC_LISTENERS_MAX */
    uint8_t rate_shadow;                          /* 1: for networks that have a rate */
    uint8_t ovn;                                  /* 1: X-OVN-... headers, 0: X-Neutron-... */
    uint8_t reserved;
};

/**
 * Check a whole structure, as it came from another process.
 *
 * @return NULL where it is good, else a constant string naming the first field that is not
 */
const char *network_spec_valid(const struct network_spec *spec);

/** As network_spec_valid(), for the defaults. */
const char *network_defaults_valid(const struct network_defaults *defaults);

#endif
