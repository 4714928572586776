/*
 * Walking a path. See trusted.h.
 */
#include "policy/trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool trusted(const struct stat *st)
{
    bool others_write = (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
    bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0;
    return st->st_uid == 0 && (!others_write || sticky) && (S_ISDIR(st->st_mode) || S_ISREG(st->st_mode));
}

static int refuse(int fd, int error)
{
    close(fd);
    errno = error;
    return -1;
}

/* Open one component below a directory, which is closed, and check it. */
static int step_into(int directory, const char *name)
{
    struct stat st;
    int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return refuse(directory, errno);
    close(directory);
    return fstat(fd, &st) == 0 && trusted(&st) ? fd : refuse(fd, EPERM);
}

int trusted_executable(const char *path)
{
    char parts[PATH_MAX];
    char *rest = NULL;
    struct stat st;
    size_t length = strlen(path);
    if (length >= sizeof(parts)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(parts, path, length + 1);
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (char *name = strtok_r(parts, "/", &rest); fd >= 0 && name != NULL; name = strtok_r(NULL, "/", &rest))
        fd = step_into(fd, name);
    if (fd < 0)
        return -1;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fd : refuse(fd, EACCES);
}

static int open_regular(const char *path, off_t most, struct stat *st)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, st) != 0)
        return refuse(fd, errno);
    if (!S_ISREG(st->st_mode))
        return refuse(fd, EINVAL);
    return st->st_size <= most ? fd : refuse(fd, EFBIG);
}

int trusted_regular(const char *path, off_t most, uid_t *owner)
{
    struct stat st;
    int fd = open_regular(path, most, &st);
    if (fd >= 0 && owner != NULL)
        *owner = st.st_uid;
    return fd;
}

int trusted_own(const char *path, off_t most)
{
    struct stat st;
    int fd = open_regular(path, most, &st);
    return fd < 0 || trusted(&st) ? fd : refuse(fd, EPERM);
}

int trusted_directory(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0)
        return refuse(fd, errno);
    return trusted(&st) ? fd : refuse(fd, EPERM);
}
