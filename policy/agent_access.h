/*
 * May the worker's user use the agent's socket? Asked once at the start, because the worker itself only sees
 * that a connection is refused, and sees the socket at a path that is not the host's.
 */
#ifndef METAWARD_POLICY_AGENT_ACCESS_H
#define METAWARD_POLICY_AGENT_ACCESS_H

#include "policy/account.h"

#include <stdbool.h>

/* What stands in the way, as stat() tells it. */
struct agent_obstacle {
    bool directory; /* of the socket: it may not be searched; else the socket may not be written to */
    uid_t uid;
    gid_t gid;
    mode_t mode; /* the permission bits */
};

/**
 * Compare the permission bits of the socket and of its directory with the worker's ids; it has no
 * supplementary groups. Access control lists are not looked at.
 *
 * @param directory O_PATH: where the socket is, or is going to be; -1: there is none
 * @param path      of the socket; only its last part is looked at
 * @return true where something stands in the way; false where nothing does or the socket is not there yet
 */
bool agent_forbidden(int directory, const char *path, const struct account *account,
                     struct agent_obstacle *out);

#endif
