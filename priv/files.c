/*
 * The files that the parent opens by name: the worker's executable and the agent's directory. Both are used
 * through their descriptors only, so what was checked is what is used.
 */
#include "ipc/steps.h"
#include "priv/prepare.h"
#include "priv/report.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char executable[] = METAWARD_LIBEXECDIR "/metaward-worker";

/* Root's, and nobody else may write: to a file at all, to a directory unless it is sticky, where only owners
 * rename. */
static bool trusted(const struct stat *st)
{
    bool others_write = (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
    bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0;
    return st->st_uid == 0 && (!others_write || sticky) && (S_ISDIR(st->st_mode) || S_ISREG(st->st_mode));
}

/* Open one component below a directory, which is closed, and check it. */
static int step_into(int directory, const char *name)
{
    struct stat st;
    int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int error = errno;
    close(directory);
    errno = error;
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && trusted(&st))
        return fd;
    close(fd);
    errno = EPERM;
    return -1;
}

int prepare_executable(struct prepared *out)
{
    char path[sizeof(executable)];
    char *rest = NULL;
    struct stat st;
    memcpy(path, executable, sizeof(path));
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (char *name = strtok_r(path, "/", &rest); fd >= 0 && name != NULL; name = strtok_r(NULL, "/", &rest))
        fd = step_into(fd, name);
    if (fd < 0)
        return report_failed(STEP_WORKER_EXECUTABLE, errno, executable);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return report_failed(STEP_WORKER_EXECUTABLE, EACCES, executable);
    out->executable = fd;
    return 0;
}

int prepare_backend(const struct config *config, struct prepared *out)
{
    char path[SETTINGS_PATH_SIZE];
    memcpy(path, config->backend, sizeof(path));
    char *slash = strrchr(path, '/');
    slash[slash == path ? 1 : 0] = '\0';
    out->backend_directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return out->backend_directory >= 0 ? 0 : report_failed(STEP_BACKEND_DIRECTORY, errno, path);
}
