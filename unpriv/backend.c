/*
 * The pinned address. See backend.h for the theory.
 */
#include "unpriv/backend.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define PAGE 4096

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

static struct sockaddr_un *pinned;
static socklen_t pinned_length;

bool backend_pin(const char *path)
{
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof(pinned->sun_path)) {
        errno = ENAMETOOLONG;
        return false;
    }
#ifdef METAWARD_SANITIZED
    path += 1; /* the root is the host's, the working directory is the agent's */
    length -= 1;
#endif
    struct sockaddr_un *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return false;
    page->sun_family = AF_UNIX;
    memcpy(page->sun_path, path, length);
    if (mprotect(page, PAGE, PROT_READ) != 0)
        return false;
    /* Before Linux 6.10 there is no seal; the filter, which allows no call that changes a mapping, holds
     * alone. */
    if (syscall(SYS_mseal, page, (size_t)PAGE, 0UL) != 0 && errno != ENOSYS)
        return false;
    pinned = page;
    pinned_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    return true;
}

const struct sockaddr *backend_address(void)
{
    return (const struct sockaddr *)pinned;
}

socklen_t backend_length(void)
{
    return pinned_length;
}

int backend_connect(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, backend_address(), pinned_length) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}
