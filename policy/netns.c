/*
 * See netns.h.
 */
#include "policy/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

bool netns_is(int fd)
{
    int kind = ioctl(fd, NS_GET_NSTYPE);
    if (kind >= 0)
        errno = EINVAL;
    return kind == CLONE_NEWNET;
}

int netns_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (netns_is(fd))
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

bool netns_same(int netns, const char *path)
{
    struct stat given, named;
    return fstat(netns, &given) == 0 && stat(path, &named) == 0 && given.st_ino == named.st_ino &&
           given.st_dev == named.st_dev;
}

bool netns_inside(int home, int inside, int (*work)(void *context), void *context, int *result)
{
    *result = -1;
    if (setns(inside, CLONE_NEWNET) != 0)
        return false;
    *result = work(context);
    if (setns(home, CLONE_NEWNET) != 0)
        return false;
    errno = EXDEV;
    return netns_same(home, "/proc/self/ns/net");
}
