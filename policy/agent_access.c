/*
 * See agent_access.h.
 */
#include "policy/agent_access.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* As the kernel does: the first class that fits decides, even where a later one would allow more. */
static bool allowed(const struct stat *st, const struct account *account, mode_t right)
{
    mode_t bits = st->st_mode;
    if (st->st_uid == account->uid)
        bits >>= 6;
    else if (st->st_gid == account->gid)
        bits >>= 3;
    return (bits & right) != 0;
}

bool agent_forbidden(int directory, const char *path, const struct account *account,
                     struct agent_obstacle *out)
{
    struct stat st;
    if (fstat(directory, &st) != 0)
        return false;
    bool searched = allowed(&st, account, S_IXOTH);
    if (searched && (fstatat(directory, strrchr(path, '/') + 1, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
                     allowed(&st, account, S_IWOTH)))
        return false;
    *out = (struct agent_obstacle){!searched, st.st_uid, st.st_gid, st.st_mode & 07777};
    return true;
}
