/*
 * What a process is started with, and what it keeps of that.
 */
#ifndef METAWARD_IPC_INHERITED_H
#define METAWARD_IPC_INHERITED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Nothing that we were started with goes on to a child: no descriptor beyond 2, no environment, no umask, no
 * directory. What the service manager says of itself in the environment is kept for notify.h. Descriptors 0,
 * 1 and 2 that are closed become /dev/null.
 *
 * @return false with errno set
 */
bool inherited_drop(void);

/**
 * Make a path absolute that is relative to the directory that we were started in, which inherited_drop()
 * left.
 *
 * @param path an absolute path, which stays as it is, or a relative one that text_is_path() takes behind a
 * '/'
 * @param size of the array behind `path`
 * @return false where that directory is not known, or the whole is no path (text_is_path()) of that size
 */
bool inherited_absolute(char *path, size_t size);

/** Seconds east of UTC, by the local time zone: whoever is confined can't ask for the zone, so it is told. */
int32_t inherited_utc_offset(void);

#endif
