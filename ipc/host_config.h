/*
 * The configuration of the host daemon: what is the same for all networks of a host.
 *
 * It is what metaward-reader makes of the file that metawardd --config names. `common` is filled by the keys
 * of the command line (config.h), so whoever starts processes for a single network's configuration can start
 * them for a host's; the rest is the host's own. The networks come from files of their own (network_spec.h).
 */
#ifndef METAWARD_IPC_HOST_CONFIG_H
#define METAWARD_IPC_HOST_CONFIG_H

#include "ipc/config.h"
#include "ipc/network_spec.h"

#define HOST_WORKERS_MAX  16
#define HOST_NETWORKS_MAX 16384

/* Who serves a network. */
enum isolation {
    ISOLATION_SHARED = 0, /* one of `workers` workers, together with other networks */
    ISOLATION_NETWORK,    /* a worker of its own */
    ISOLATION_COUNT
};

struct host_config {
    /* Of this: worker, backend or agent_host and agent_port, state_path, user and group. worker.log_tag is
     * the tag of the daemon's own lines; worker.max_networks and worker.max_listeners are what one worker
     * must have room for. Listeners, network, netns and pid file stay empty, `given` zero. */
    struct config common;
    struct network_defaults defaults;
    uint8_t isolation; /* enum isolation */
    uint8_t reserved[7];
    uint32_t workers;                          /* ISOLATION_SHARED: 1 to HOST_WORKERS_MAX; else 0 */
    uint32_t max_networks;                     /* of the host, 1 to HOST_NETWORKS_MAX */
    char control_socket[SETTINGS_PATH_SIZE];   /* absolute */
    char control_group[CONFIG_NAME_SIZE];      /* name or number; empty: root's */
    char networks_directory[CONFIG_PATH_SIZE]; /* absolute */
};

/** Fill in every default that does not follow from another key. */
void host_config_default(struct host_config *host);

/**
 * Fill in what follows from several keys together: what config_finish_common() does, the defaults' listener,
 * and how much one worker must have room for. common.listeners, common.network.rate and .rate_shadow and
 * common.ovn, as config_set() filled them, become the defaults, common.network.log_tag becomes the worker's.
 *
 * @param error on failure one line "KEY: what is wrong"; no line end
 * @return false where it does not make one good configuration
 */
bool host_config_finish(struct host_config *host, char error[CONFIG_ERROR_SIZE]);

/**
 * Is this a configuration that a file can lead to? Every value in its range, and all that the file has no key
 * for as host_config_default() and host_config_finish() make it. Whether accounts and paths exist or may be
 * used is not looked at.
 *
 * @param host from wherever; worker.utc_offset is 0, as no file sets it
 * @return NULL where it is good, else a constant string naming the first field that is not
 */
const char *host_config_valid(const struct host_config *host);

#endif
