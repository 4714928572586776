/*
 * What the parent fetches while it still has root's power: files, a namespace, sockets.
 *
 * main.c fills it in; each function reports its own failure and returns the step that is then the exit
 * status, or 0.
 */
#ifndef METAWARD_PRIV_PREPARE_H
#define METAWARD_PRIV_PREPARE_H

#include "ipc/config.h"
#include "policy/account.h"
#include "policy/confine.h"
#include "policy/resolve.h"

struct prepared {
    struct account account;
    int executable; /* O_PATH: metaward-worker */
    int reader;     /* O_PATH: metaward-reader, where the configuration can be read again; else 0 */
    struct agent_place agent;
    int listeners[CONFIG_LISTENERS_MAX];
};

/** What a nursery is confined by. */
static inline struct confinement prepare_confinement(const struct config *config,
                                                     const struct prepared *prepared)
{
    return (struct confinement){.uid = prepared->account.uid,
                                .gid = prepared->account.gid,
                                .descriptors = settings_descriptors(&config->worker),
                                .executable = prepared->executable,
                                .reader = prepared->reader,
                                .directory = prepared->agent.directory};
}

/**
 * Make the listeners (ipc/listen.h), inside the network namespace where one is named, and come back. An
 * address that is taken is tried again: for 0.3 s, or for 5 s where another instance was told to end.
 */
int prepare_listeners(const struct config *config, struct prepared *out);

#endif
