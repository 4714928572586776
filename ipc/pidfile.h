/*
 * The pid file: one number, in place before the first process exits, and locked as long as its writer lives.
 *
 * The lock tells a stale file from a live one: a number may be somebody else's by now, a lock ends with its
 * holder. The file is made under another name, locked, then moved into place, so nobody ever sees it empty or
 * unlocked. It is never written through a link, nor over a file that is not a pid file.
 */
#ifndef METAWARD_IPC_PIDFILE_H
#define METAWARD_IPC_PIDFILE_H

#include "ipc/config.h"

#include <stdbool.h>
#include <sys/types.h>

#define PIDFILE_ERROR_SIZE (CONFIG_PATH_SIZE + 64)

struct pidfile {
    int directory; /* O_PATH: the pid file's directory; AT_FDCWD after pidfile_own() */
    int file;      /* holds the lock, for every process that shares it */
    dev_t device;
    ino_t inode;
    uid_t owner;                 /* of the directory */
    char name[CONFIG_PATH_SIZE]; /* below the directory */
};

/**
 * Write and lock the pid file, with mode 0644 under every umask, in place of a stale one: a regular file that
 * is not locked and holds one number or nothing. A directory that is not sticky and in which others than root
 * and its owner may write is refused.
 *
 * @param path   absolute, not "/", shorter than CONFIG_PATH_SIZE
 * @param writer who chose the path: the directory must be that user's, for a file in a directory of root's
 * can mean more than a number, and the writer could have put the file there himself; 0: root did
 * @param error  on failure "PATH: what is wrong"
 * @return 0, or an errno value with nothing left open: EBUSY where another process holds the file
 */
int pidfile_write(const char *path, pid_t pid, uid_t writer, struct pidfile *out,
                  char error[PIDFILE_ERROR_SIZE]);

/**
 * Who holds the pid file?
 *
 * @return the number in it, where it is locked; 0 where it is not, or is no pid file
 */
pid_t pidfile_holder(const char *path);

/**
 * Remove the file, if it is still the one that was written, and close what is open. Where it can't be
 * removed it is emptied, so that nobody takes its number for a live process. System calls: newfstatat,
 * unlinkat, ftruncate, close.
 *
 * @param pidfile what pidfile_write() filled in, or all zero
 * @return 0 where it is gone or somebody else's by now, or was never written; else the errno value of the
 * removal
 */
int pidfile_remove(struct pidfile *pidfile);

/**
 * Be able to remove the file without capabilities and with one descriptor, the lock: take on the file
 * system's user that owns its directory, and make that directory the process's working directory.
 *
 * @return false where the kernel did not let us
 */
bool pidfile_own(struct pidfile *file);

#endif
