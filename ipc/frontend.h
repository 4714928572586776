/*
 * How a program is told what to do.
 *
 * metawardd and the drop-in named haproxy are the same program behind two command lines; each executable
 * links one of the two definitions of this interface.
 */
#ifndef METAWARD_IPC_FRONTEND_H
#define METAWARD_IPC_FRONTEND_H

#include "ipc/config.h"

/**
 * Read the command line and what it names.
 *
 * @param config filled in, whole and good, where true is returned
 * @param status the exit status where false is returned; everything has been said by then
 * @return true: go on and serve; false: end
 */
bool frontend_read(int argc, char **argv, struct config *config, int *status);

/** The exit status for a step that failed (0 stays 0). */
int frontend_status(int step);

#endif
