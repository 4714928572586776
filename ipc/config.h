/*
 * The whole configuration of one network: the worker's settings, the network and what only the parent needs.
 *
 * One table (config_keys) names every key once, with its kind, range, place in the structure and a sentence
 * for
 * --help. The command line and, later, configuration files are two ways into the same config_set(). Names of
 * the old neutron-ns-metadata-proxy are in the table as aliases, and '_' means the same as '-'.
 */
#ifndef METAWARD_IPC_CONFIG_H
#define METAWARD_IPC_CONFIG_H

#include "ipc/address.h"
#include "ipc/endpoint.h"
#include "ipc/settings.h"

#define CONFIG_LISTENERS_MAX 16
#define CONFIG_NAME_SIZE     64
#define CONFIG_PATH_SIZE     256
#define CONFIG_ERROR_SIZE    256
#define CONFIG_KEY_SIZE      32 /* a key's name and its NUL */

struct config {
    struct settings worker;
    struct network network;
    struct address listeners[CONFIG_LISTENERS_MAX];
    uint8_t listener_count;
    uint8_t daemonize;
    uint8_t
        given_network; /* how often --network-id and --router-id were given; exactly one in all is right */
    uint8_t given_router;
    uint8_t ovn;         /* --identity ovn */
    uint8_t takes_over;  /* another instance was told to end: wait until its addresses are free */
    uint16_t agent_port; /* of agent_host; 0: the agent is reached by its socket */
    uint8_t host_proxy;  /* guests are known one by one, by records: no network and no router */
    uint8_t reserved[7];
    uint64_t given;                   /* one bit for each entry of config_keys that was set */
    char netns[CONFIG_PATH_SIZE];     /* absolute path, or a name below /run/netns; empty: where we are */
    char backend[SETTINGS_PATH_SIZE]; /* the agent's socket as the host shows it, absolute; empty: agent_host
                                       */
    char agent_host[ENDPOINT_HOST_SIZE]; /* the agent over TCP: address or name; empty: backend */
    char user[CONFIG_NAME_SIZE];         /* name or number */
    char group[CONFIG_NAME_SIZE];        /* name or number; empty: the user's own */
    char pid_file[CONFIG_PATH_SIZE];     /* absolute; empty: none */
    char state_path[CONFIG_PATH_SIZE];   /* absolute */
    uint32_t writer; /* the user who owns the file that this was read from; 0: root, or no file. Never from a
                        file itself; without it there would be padding */
};

enum config_kind { CONFIG_FLAG, CONFIG_VALUE };

struct config_key {
    const char *name;     /* words joined with '_'; config_key_name() gives the form to show */
    const char *argument; /* for --help: "PATH"; NULL for a flag */
    const char *help;     /* one sentence */
    enum config_kind kind;
    uint8_t hidden;   /* an old name that means the same as another key: taken, not shown */
    uint8_t repeated; /* may be given more than once */
    /* How config_set() reads the value: NULL, or a constant string that says what is wrong with it. */
    const char *(*set)(struct config *config, const struct config_key *key, const char *value);
    size_t offset; /* of the member of struct config that it fills; keys that fill the same one are the same
                      key */
    uint32_t least, most;   /* range of a number; `most` is the size of a text's array */
    const char *choices[4]; /* words in the order of the numbers that they stand for */
};

/** All keys, ended by an entry without a name. `--help`, `--version` and `--print-policy` are not among them.
 */
extern const struct config_key config_keys[];

/** Write a key's name with `mark` ('-' or '_') between its words, NUL-terminated. */
void config_key_name(const struct config_key *key, char mark, char out[CONFIG_KEY_SIZE]);

/** Fill in every default that does not follow from another key. */
void config_default(struct config *config);

/**
 * Set one key from its text.
 *
 * A key that may not be repeated is refused the second time, whatever its value.
 *
 * @param key   name, '-' or '_'
 * @param value NUL-terminated; NULL for a flag
 * @param error on failure one line "KEY: what is wrong: 'VALUE'", the value escaped and shortened; no line
 * end
 * @return false with `config` unchanged where the key is unknown or the value is not good
 */
bool config_set(struct config *config, const char *key, const char *value, char error[CONFIG_ERROR_SIZE]);

/**
 * config_set() for callers that show the value in their own way.
 *
 * @return NULL where the key was set, else a constant string that says what is wrong, with `config` unchanged
 */
const char *config_set_plain(struct config *config, const char *key, const char *value);

/**
 * Set metadata_address from a host and a port that stand apart, as a configuration file has them.
 *
 * @param host an IPv4 address, an IPv6 address without brackets, or a name; NUL-terminated
 * @return as config_set_plain()
 */
const char *config_set_agent(struct config *config, const char *host, uint32_t port);

/**
 * Fill in what follows from several keys together (identity header, default listener, default backend path
 * below the state path, the backend as the worker's root shows it: "/" and the socket's last component; or
 * the agent's address, 0.0.0.0 as long as it is only a name; the tag of lines that concern no network: the
 * network's own name in the log; room for as many listeners as there are) and check the whole. Of two limits
 * that do not fit each other, one that was not given follows the other; one that was is an error.
 *
 * @param error on failure one line "KEY: what is wrong"; no line end
 * @return false where it does not make one good network
 */
bool config_finish(struct config *config, char error[CONFIG_ERROR_SIZE]);

/**
 * The part of config_finish() that is the same for every network of a host: agent, limits, default listener.
 * Nothing is checked that single keys can't break together.
 *
 * @param error as above
 * @return false where the keys do not fit each other
 */
bool config_finish_common(struct config *config, char error[CONFIG_ERROR_SIZE]);

#endif
