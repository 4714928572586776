/*
 * Reading the host daemon's files before there is a loop: everything waits, and readers are our own children,
 * or the launcher's (power.h).
 */
#ifndef METAWARD_POLICY_HOST_LOAD_H
#define METAWARD_POLICY_HOST_LOAD_H

#include "policy/host_files.h"

/**
 * Go through all files.
 *
 * @param files begun, host_files_begin() or host_files_begin_networks()
 * @return 0 where each file was delivered, whatever is in it; or the step that failed, reported
 */
int host_files_run(struct host_files *files);

/**
 * Read the global file alone; one line on stderr says what is wrong with it.
 *
 * @param out good by host_config_valid() where 0 is returned
 * @return 0, STEP_CONFIGURATION, or the step that failed, reported
 */
int host_config_load(const char *path, struct host_config *out);

/** One line on stderr, "FILE:LINE: WORD: REASON", as far as the reading has them. */
void host_reading_show(const char *file, const struct host_reading *reading);

#endif
