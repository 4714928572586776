/*
 * Having a configuration read by somebody without power.
 */
#ifndef METAWARD_PRIV_READING_H
#define METAWARD_PRIV_READING_H

#include "ipc/reading.h"

/**
 * Open a configuration file once, have metaward-reader read it, and check what comes back.
 *
 * The file must be a regular one of at most READING_FILE_MAX bytes, and not a symbolic link; only its
 * descriptor is used, and who owns it is the writer of the configuration. The reader is an unprivileged child
 * under a filter of its own that can read, send and exit; it gets a bounded time.
 *
 * @param out the reading, valid by reading_valid(); it may still say that the file is not good
 * @return 0, or the step that failed, reported
 */
int reading_fetch(const char *path, struct reading *out);

#endif
