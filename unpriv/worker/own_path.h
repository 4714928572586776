/*
 * Targets that the worker itself has an answer for: the monitor's path, and the one of statistics, which no
 * guest may see.
 */
#ifndef METAWARD_UNPRIV_WORKER_OWN_PATH_H
#define METAWARD_UNPRIV_WORKER_OWN_PATH_H

#include "ipc/settings.h"

enum own_path { OWN_NONE, OWN_MONITOR, OWN_STATS };

/**
 * What is a request's target to us? The monitor's is its path, with or without a query; that of statistics
 * is also everything below the path, or behind a ';'.
 *
 * @param target `length` bytes in origin-form
 */
enum own_path own_path_of(const struct settings *settings, const char *target, size_t length);

#endif
