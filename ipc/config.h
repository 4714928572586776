/*
 * The whole configuration of one network: the worker's settings and what only the parent needs.
 *
 * One table (config_keys) names every key once, with its kind, range, place in the structure and a sentence for
 * --help. The command line and, later, configuration files are two ways into the same config_set(). Names of the old
 * neutron-ns-metadata-proxy are in the table as aliases, and '_' means the same as '-'.
 */
#ifndef METAWARD_IPC_CONFIG_H
#define METAWARD_IPC_CONFIG_H

#include "ipc/address.h"
#include "ipc/settings.h"

#define CONFIG_LISTENERS_MAX 16
#define CONFIG_NAME_SIZE     64
#define CONFIG_PATH_SIZE     256
#define CONFIG_ERROR_SIZE    256

struct config {
    struct settings worker;
    struct address listeners[CONFIG_LISTENERS_MAX];
    uint8_t listener_count;
    uint8_t daemonize;
    uint8_t given_network; /* how often --network-id and --router-id were given; exactly one in all is right */
    uint8_t given_router;
    uint8_t ovn; /* --identity ovn */
    uint8_t reserved[3];
    char netns[CONFIG_PATH_SIZE];      /* absolute path, or a name below /run/netns; empty: where we are */
    char backend[SETTINGS_PATH_SIZE];  /* the agent's socket as the host shows it, absolute */
    char user[CONFIG_NAME_SIZE];       /* name or number */
    char group[CONFIG_NAME_SIZE];      /* name or number; empty: the user's own */
    char pid_file[CONFIG_PATH_SIZE];   /* absolute; empty: none */
    char state_path[CONFIG_PATH_SIZE]; /* absolute */
};

enum config_kind { CONFIG_FLAG, CONFIG_VALUE };

struct config_key {
    const char *name;     /* with '-' */
    const char *argument; /* for --help: "PATH"; NULL for a flag */
    const char *help;     /* one sentence */
    enum config_kind kind;
    uint8_t hidden; /* an old name that means the same as another key: taken, not shown */
};

/** All keys, ended by an entry without a name. `--help`, `--version` and `--print-policy` are not among them. */
extern const struct config_key config_keys[];

/** Fill in every default. */
void config_default(struct config *config);

/**
 * Set one key from its text.
 *
 * @param key   name, '-' or '_'
 * @param value NUL-terminated; NULL for a flag
 * @param error on failure one line "KEY: what is wrong with VALUE", the value escaped and shortened; no line end
 * @return false with `config` unchanged where the key is unknown or the value is not good
 */
bool config_set(struct config *config, const char *key, const char *value, char error[CONFIG_ERROR_SIZE]);

/**
 * Fill in what follows from several keys together (identity header, default listener, default backend path below
 * the state path, the backend as the worker's root shows it: "/" and the socket's last component) and check the
 * whole.
 *
 * @return false with `error` set where it does not make one good network
 */
bool config_finish(struct config *config, char error[CONFIG_ERROR_SIZE]);

#endif
