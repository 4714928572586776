/*
 * Reading the networks' files, at start and again when told to.
 *
 * What a file says is applied as it comes. A file that is no good is one failed network, and a network that
 * it described before goes on; a directory that can't be read changes nothing.
 */
#ifndef METAWARD_PRIV_HOST_LOAD_H
#define METAWARD_PRIV_HOST_LOAD_H

#include "ipc/channel.h"
#include "ipc/host_config.h"

#define LOAD_SLOT (MESSAGE_SLOTS - 1) /* of the nursery: where the reader runs */

/**
 * Read all networks' files before anything is confined, with readers of our own. Waits.
 *
 * @return 0, or the step that failed, reported
 */
int load_first(const char *file, const struct host_config *config);

/** Read all files again, with a reader of the nursery's, and apply what differs. Does not wait: it goes on in
 * the loop. While a load is going on, the next one is begun behind it. */
void load_again(struct channel *nursery);

/** The nursery has told of the reader in LOAD_SLOT: it ended, or (`error` not 0) could not be started.
 * @return 0 */
int load_reader_ended(int error);

/** Is a load going on? */
bool load_runs(void);

/** How often all files were read, well or not. */
uint32_t load_count(void);

/** What was wrong with the last load as a whole: printable; empty where nothing was. */
const char *load_error(void);

#endif
