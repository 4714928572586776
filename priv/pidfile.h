/*
 * The pid file: one number, in place before the first process exits, and locked as long as its writer lives.
 *
 * The lock tells a stale file from a live one: a number may have been given to somebody else since, a lock
 * ends with its holder. The file is made under another name, locked, and only then moved into place, so
 * nobody ever sees it empty or unlocked. It is never written through a link, nor over a file that is not a
 * pid file.
 */
#ifndef METAWARD_PRIV_PIDFILE_H
#define METAWARD_PRIV_PIDFILE_H

#include <limits.h>
#include <sys/types.h>

#define PIDFILE_ERROR_SIZE 384 /* a path of 255 bytes and a sentence */

struct pidfile {
    int directory; /* O_PATH: the pid file's directory */
    int file;      /* holds the lock; shared with every process that inherits it */
    dev_t device;
    ino_t inode;
    char name[NAME_MAX + 1]; /* below the directory */
};

/**
 * Write and lock the pid file, in place of a stale one.
 *
 * The directory must be one in which nobody but root and its owner can put files, or a sticky one. The file's
 * mode is 0644 under every umask. A regular file that holds nothing, or one number, and is not locked counts
 * as stale.
 *
 * @param path  absolute, not "/"
 * @param pid   the process that the file names; it must inherit or share the descriptor `out->file`
 * @param error on failure "PATH: what is wrong"
 * @return 0, or an errno value with `out` not to be used: EBUSY where another process holds the file
 */
int pidfile_write(const char *path, pid_t pid, struct pidfile *out, char error[PIDFILE_ERROR_SIZE]);

/**
 * Remove the file, if it is still the one that was written, and close both descriptors.
 *
 * Uses newfstatat, unlinkat, ftruncate and close only. Where the file can't be removed, it is emptied, so
 * that its number is not taken for a live process.
 *
 * @return 0 where it is gone or somebody else's by now; else the errno value of the removal
 */
int pidfile_remove(struct pidfile *pidfile);

#endif
