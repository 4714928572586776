/*
 * Resolving names. See account.h.
 */
#include "policy/account.h"

#include "ipc/steps.h"
#include "ipc/text.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#define ID_MOST 0xfffffffeU /* the highest number means "no change" to the kernel */

static int refuse(int step, int error)
{
    errno = error != 0 ? error : ENOENT;
    return step;
}

/* A number without an account is good enough; its group must then be given as well. */
static bool find_user(const char *name, struct account *out)
{
    uint32_t number = 0;
    bool numeric = text_number(name, 0, ID_MOST, &number);
    errno = 0;
    const struct passwd *entry = numeric ? getpwuid(number) : getpwnam(name);
    out->subject = name;
    out->uid = entry != NULL ? entry->pw_uid : number;
    out->gid = entry != NULL ? entry->pw_gid : 0;
    return entry != NULL || numeric;
}

static bool find_group(const char *name, struct account *out)
{
    uint32_t number = 0;
    out->subject = name;
    errno = 0;
    if (text_number(name, 0, ID_MOST, &number)) {
        out->gid = number;
        return true;
    }
    const struct group *entry = getgrnam(name);
    out->gid = entry != NULL ? entry->gr_gid : 0;
    return entry != NULL;
}

int account_resolve(const char *user, const char *group, struct account *out)
{
    bool found =
        user[0] != '\0' ? find_user(user, out) : find_user("metaward", out) || find_user("nobody", out);
    if (!found)
        return refuse(STEP_USER, errno);
    if (out->uid == 0)
        return refuse(STEP_USER, EPERM);
    if (group[0] != '\0' && !find_group(group, out))
        return refuse(STEP_GROUP, errno);
    return out->gid != 0 ? 0 : refuse(STEP_GROUP, EPERM);
}

bool account_group(const char *name, gid_t *out)
{
    struct account account;
    if (!find_group(name, &account)) {
        errno = errno != 0 ? errno : ENOENT;
        return false;
    }
    *out = account.gid;
    return true;
}
