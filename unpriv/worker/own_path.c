/*
 * Comparing targets. See own_path.h.
 */
#include "unpriv/worker/own_path.h"

#include <string.h>

/* Does the target start with the path, and go on with one of these bytes if it goes on? */
static bool leads(const char *path, const char *target, size_t length, const char *further)
{
    const size_t own = strnlen(path, SETTINGS_OWN_PATH_SIZE);

    if (own == 0 || length < own || memcmp(target, path, own) != 0)
        return false;
    return length == own || strchr(further, target[own]) != NULL;
}

enum own_path own_path_of(const struct settings *settings, const char *target, size_t length)
{
    if (leads(settings->monitor_path, target, length, "?"))
        return OWN_MONITOR;
    return leads(settings->stats_path, target, length, "/?;") ? OWN_STATS : OWN_NONE;
}
