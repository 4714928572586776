/*
 * Looking through the descriptors. No /proc is left in a child's root, so the kernel is asked number by
 * number.
 */
#include "policy/inventory.h"

#include "policy/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

static bool of_kind(const struct descriptor *d)
{
    int type = 0;
    socklen_t length = sizeof(type);
    bool is_socket = getsockopt(d->fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0;
    if (d->kind == KIND_NO_SOCKET) /* getsockopt() does not see an O_PATH descriptor at all, fcntl() does */
        return !is_socket && fcntl(d->fd, F_GETFD) >= 0;
    int domain = 0;
    length = sizeof(domain);
    if (!is_socket || getsockopt(d->fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0)
        return false;
    int wanted = d->kind == KIND_CHANNEL ? SOCK_SEQPACKET : SOCK_DGRAM;
    errno = EPROTOTYPE;
    return domain == AF_UNIX && type == wanted;
}

static bool is_expected(int fd, const struct descriptor *expected, size_t count)
{
#ifdef METAWARD_SANITIZED
    if (fd == REPORT_FD)
        return true;
#endif
    for (size_t i = 0; i < count; i++) {
        if (expected[i].fd == fd)
            return true;
    }
    return false;
}

bool inventory_exact(const struct descriptor *expected, size_t count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!of_kind(&expected[i]))
            return false;
    }
    for (int fd = 0; fd < (int)limit.rlim_cur; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 && !is_expected(fd, expected, count)) {
            errno = EMFILE;
            return false;
        }
    }
    return true;
}
