/*
 * As whom the children run: from --user and --group to numbers that are not root's.
 */
#ifndef METAWARD_POLICY_ACCOUNT_H
#define METAWARD_POLICY_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

struct account {
    uid_t uid;
    gid_t gid;
    const char *subject; /* after a failure: the name that it was about */
};

/**
 * Resolve names or numbers, once, before anything is confined: afterwards no file can be opened.
 *
 * @param user  "" means "metaward" or, where there is no such account, "nobody"
 * @param group "" means the user's own
 * @return 0, or STEP_USER or STEP_GROUP with errno set (ENOENT: unknown; EPERM: root, which is refused)
 */
int account_resolve(const char *user, const char *group, struct account *out);

/** A group's number, by name or number; root's is one too. @return false with errno set */
bool account_group(const char *name, gid_t *out);

#endif
