/*
 * The pid file. See pidfile.h.
 *
 * Two that start at the same time: each locks what is in place, looks whether it is still in place, and moves
 * its own file there while it holds that lock; where nothing is in place, the move refuses to replace
 * anything. So the second finds a locked file, or a new one, and looks again.
 *
 * The helpers return NULL, or what is wrong, with errno set.
 */
#include "ipc/pidfile.h"

#include "ipc/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES          16 /* each is lost only to another process that starts in the same moment */
#define TEMPORARY_SIZE 32

static const char again[] = "others start in the same moment";

static const char *open_directory(const char *path, uid_t writer, struct pidfile *out)
{
    char parent[CONFIG_PATH_SIZE] = "";
    const char *name = strrchr(path, '/') + 1;
    struct stat status;

    errno = ENAMETOOLONG;
    if ((size_t)(name - path) >= sizeof(parent) || !text_store(out->name, sizeof(out->name), name))
        return "too long";
    memcpy(parent, path, (size_t)(name - path));
    out->directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (out->directory < 0 || fstat(out->directory, &status) != 0)
        return "can't open its directory";
    out->owner = status.st_uid;
    errno = EPERM;
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (status.st_mode & S_ISVTX) == 0)
        return "others than its owner may write to its directory";
    if (writer != 0 && writer != out->owner)
        return "its directory is another user's than the configuration";
    return NULL;
}

/* Make, lock and fill the new file under a name that nobody can foresee. */
static const char *make_new(pid_t pid, struct pidfile *out, char temporary[TEMPORARY_SIZE])
{
    unsigned random;
    struct stat status;

    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return "no random number for a temporary name";
    snprintf(temporary, TEMPORARY_SIZE, ".metawardd-%08x", random);
    out->file = openat(out->directory, temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (out->file < 0)
        return "can't make a file in its directory";
    if (fchmod(out->file, 0644) != 0 || flock(out->file, LOCK_EX | LOCK_NB) != 0 ||
        dprintf(out->file, "%d\n", pid) < 0 || fstat(out->file, &status) != 0)
        return "can't set up the new file";
    out->device = status.st_dev;
    out->inode = status.st_ino;
    return NULL;
}

/* The number in a file that is one number or nothing. @return false for any other file */
static bool read_number(int fd, off_t size, uint32_t *pid)
{
    char number[16] = "";
    ssize_t length = read(fd, number, sizeof(number) - 1);
    *pid = 0;
    if (length > 0 && number[length - 1] == '\n')
        number[length - 1] = '\0';
    return length == size && (length == 0 || text_number(number, 1, INT32_MAX, pid));
}

/* Move the new file to the place of the one behind `old`, if that is a stale pid file. */
static const char *replace(const struct pidfile *out, const char *temporary, int old)
{
    uint32_t pid;
    struct stat locked, now;

    if (fstat(old, &locked) != 0)
        return "can't look at what is there";
    errno = EEXIST;
    if (!S_ISREG(locked.st_mode))
        return "what is there is not a regular file";
    if (!read_number(old, locked.st_size, &pid))
        return "what is there is not a pid file";
    if (flock(old, LOCK_EX | LOCK_NB) != 0) {
        static char held[64];
        snprintf(held, sizeof(held), "another instance, pid %u, holds it", pid);
        errno = EBUSY;
        return held;
    }
    if (fstatat(out->directory, out->name, &now, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? again : "can't look at what is there";
    if (now.st_dev != locked.st_dev || now.st_ino != locked.st_ino)
        return again;
    return renameat(out->directory, temporary, out->directory, out->name) == 0 ? NULL : "can't replace it";
}

/* Move the new file into place. */
static const char *settle(const struct pidfile *out, const char *temporary)
{
    int old = openat(out->directory, out->name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (old >= 0) {
        const char *wrong = replace(out, temporary, old);
        int saved = errno;
        close(old); /* unlocks it, too: by now it is gone, or not ours to take */
        errno = saved;
        return wrong;
    }
    if (errno != ENOENT)
        return "can't open what is there";
    if (renameat2(out->directory, temporary, out->directory, out->name, RENAME_NOREPLACE) == 0)
        return NULL;
    return errno == EEXIST ? again : "can't move the new file into place";
}

int pidfile_write(const char *path, pid_t pid, uid_t writer, struct pidfile *out,
                  char error[PIDFILE_ERROR_SIZE])
{
    char temporary[TEMPORARY_SIZE];

    *out = (struct pidfile){.directory = -1, .file = -1};
    const char *wrong = open_directory(path, writer, out);
    if (wrong == NULL && (wrong = make_new(pid, out, temporary)) == NULL) {
        wrong = again;
        for (int i = 0; wrong == again && i < TRIES; i++)
            wrong = settle(out, temporary);
    }
    if (wrong == NULL)
        return 0;
    int result = errno;
    snprintf(error, PIDFILE_ERROR_SIZE, "%s: %s", path, wrong);
    if (out->file >= 0) {
        unlinkat(out->directory, temporary, 0);
        close(out->file);
    }
    if (out->directory >= 0)
        close(out->directory);
    out->directory = out->file = -1;
    return result;
}

pid_t pidfile_holder(const char *path)
{
    struct stat status;
    uint32_t pid = 0;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return 0;
    bool held = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && read_number(fd, status.st_size, &pid) &&
                flock(fd, LOCK_SH | LOCK_NB) != 0;
    close(fd);
    return held ? (pid_t)pid : 0;
}

int pidfile_remove(struct pidfile *pidfile)
{
    struct stat now;
    int result = 0;

    if (pidfile->file <= 0)
        return 0; /* never written */
    if (fstatat(pidfile->directory, pidfile->name, &now, AT_SYMLINK_NOFOLLOW) != 0 ||
        (now.st_dev == pidfile->device && now.st_ino == pidfile->inode &&
         unlinkat(pidfile->directory, pidfile->name, 0) != 0))
        result = errno == ENOENT ? 0 : errno;
    if (result != 0)
        (void)!ftruncate(pidfile->file, 0); /* the removal's error is the one to tell */
    close(pidfile->file);
    if (pidfile->directory >= 0)
        close(pidfile->directory);
    return result;
}

bool pidfile_own(struct pidfile *file)
{
    if (fchdir(file->directory) != 0)
        return false;
    setfsuid(file->owner);
    if (setfsuid((uid_t)-1) != (int)file->owner) /* this second call only asks */
        return false;
    close(file->directory);
    file->directory = AT_FDCWD;
    return true;
}
