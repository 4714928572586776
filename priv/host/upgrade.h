/*
 * The upgrade, on the side of the daemon that serves: start a successor (policy/heir.h), hand it everything
 * (ipc/handover.h), and end.
 *
 * Until the successor says that it serves, nothing here is changed but that changes wait: newcomers at the
 * control socket, addresses that could be listened at now. Whatever goes wrong before ends the successor, and
 * this daemon goes on. Nothing here waits.
 */
#ifndef METAWARD_PRIV_HOST_UPGRADE_H
#define METAWARD_PRIV_HOST_UPGRADE_H

#include "ipc/host_config.h"

/** Make the heir. First of all in the daemon's start. @return 0, or the step that failed, reported */
int upgrade_prepare(const char *file, const struct host_config *config);

/** Watch the heir; after loop_begin(). @return as above */
int upgrade_watch(void);

/** Start a successor. @param why where it can't be: a constant string @return false then */
bool upgrade_begin(const char **why);

/** End a successor that does not serve yet, where there is one. */
void upgrade_stop(void);

/** Is a successor starting, or taking over? */
bool upgrade_runs(void);

/** Has a handover begun, so that nothing may change before it is over? */
bool upgrade_hands_over(void);

/** Why the last upgrade failed: printable; empty where none was tried since. */
const char *upgrade_error(void);

#endif
