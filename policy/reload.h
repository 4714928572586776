/*
 * Reading the configuration of a host's proxy again, while its guests are served.
 *
 * The agent writes the file anew whenever a guest comes or goes, and sends SIGHUP. The parent, which has no
 * power any more, opens the file with the rights that it has left, and has the nursery start a reader with
 * it. What the reader says comes in piece by piece, between everything else. A table of instances that came
 * as a whole takes the old one's place; whatever goes wrong before that changes nothing. Of the rest of the
 * file nothing can be changed while running: that it differs is told.
 */
#ifndef METAWARD_POLICY_RELOAD_H
#define METAWARD_POLICY_RELOAD_H

#include "ipc/channel.h"
#include "ipc/config.h"

#define RELOAD_SLOT 1 /* of the nursery: where the reader runs */

/**
 * Remember where the configuration is, and what it was: from now on it can be read again.
 *
 * @param path   absolute; copied
 * @param config as the reader gave it; copied
 */
void reload_allow(const char *path, const struct config *config);

/** Was reload_allow() called? */
bool reload_allowed(void);

/**
 * Do what can be done now: start a reader where one was asked for, take what has come of one, end one that
 * has said all or taken too long. Does not wait.
 *
 * @param nursery ready
 * @return whether there is a new table of instances, to be handed to the worker
 */
bool reload_turn(struct channel *nursery);

/** The nursery has told of the reader: it ended, or (`error` not 0) could not be started. */
void reload_ended(int error);

/** The descriptor on which a reader's answer comes; -1 where none is expected. */
int reload_waits_for(void);

/** When the reader that is running has taken too long; 0: none is. */
int64_t reload_due(void);

#endif
