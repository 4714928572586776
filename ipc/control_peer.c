/*
 * See control_peer.h.
 */
#include "ipc/control_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG     1024 /* all who hold leases ask a new daemon at one time */
#define GROUPS_MOST 1024 /* a peer with more supplementary groups is a member of none of them */
#define KIND        (SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK)

/* Nobody listens there any more. */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat file;
    if (lstat(address->sun_path, &file) != 0)
        return false;
    if (!S_ISSOCK(file.st_mode)) {
        errno = EEXIST;
        return false;
    }
    int fd = socket(AF_UNIX, KIND, 0);
    if (fd < 0)
        return false;
    bool refused =
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 && errno == ECONNREFUSED;
    close(fd);
    errno = EADDRINUSE;
    return refused;
}

static bool bind_anew(int fd, const struct sockaddr_un *address)
{
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
        return true;
    return errno == EADDRINUSE && is_stale(address) && unlink(address->sun_path) == 0 &&
           bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

/* Who is in a group may give it a file of their own: so nobody needs CAP_CHOWN for this. */
bool control_give(int file, gid_t group)
{
    struct stat st;
    gid_t own = getegid();
    if (fstat(file, &st) != 0)
        return false;
    errno = EPERM;
    if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1 || setegid(group) != 0)
        return false;
    bool given = fchownat(file, "", (uid_t)-1, group, AT_EMPTY_PATH) == 0;
    return setegid(own) == 0 && given;
}

int control_listen(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, KIND, 0);
    if (fd < 0)
        return -1;
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    mode_t mask = umask(0177); /* nobody but root connects before the group is right */
    bool bound = bind_anew(fd, &address);
    umask(mask);
    if (bound && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool is_among(gid_t group, const gid_t *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (groups[i] == group)
            return true;
    }
    return false;
}

bool control_judge(int fd, gid_t group, struct control_who *who)
{
    static gid_t groups[GROUPS_MOST];
    struct ucred cred;
    socklen_t length = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &length) != 0)
        return false;
    *who = (struct control_who){.pid = cred.pid, .uid = cred.uid};
    if (cred.uid == 0) {
        who->peer = CONTROL_BY_ROOT;
        return true;
    }
    if (group == CONTROL_NO_GROUP)
        return true;
    length = sizeof(groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0)
        length = 0;
    if (cred.gid == group || is_among(group, groups, length / sizeof(groups[0])))
        who->peer = CONTROL_BY_GROUP;
    return true;
}
