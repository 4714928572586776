/*
 * See backend.h.
 */
#include "unpriv/backend.h"

#include "unpriv/pinned.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

bool backend_pin(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return false;
    }
#ifdef METAWARD_SANITIZED
    path += 1; /* the root is the host's, the working directory is the agent's */
    length -= 1;
#endif
    memcpy(address.sun_path, path, length);
    return pinned_write(&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1));
}

int backend_connect(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, pinned_address(), pinned_length()) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}
