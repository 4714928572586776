/*
 * Which files may be executed, and which directories be written to, with root's power behind it.
 */
#ifndef METAWARD_POLICY_TRUSTED_H
#define METAWARD_POLICY_TRUSTED_H

#include <sys/types.h>

/**
 * Open a file that is going to be executed, one component of its path after another.
 *
 * None of them may be a symbolic link, belong to somebody else than root, or be writable by others; a
 * directory that others may write to is good enough where it is sticky, because there only owners can rename.
 * What was checked is what is used: the descriptor.
 *
 * @param path absolute, without "." and "..", at most 4095 bytes
 * @return an O_PATH descriptor of a regular file, close-on-exec; -1 with errno set (EPERM: not trusted,
 * EACCES: no file)
 */
int trusted_executable(const char *path);

/**
 * Open a file that somebody else wrote and that is only going to be read: a regular file, not a symbolic
 * link. It is opened once; what was checked is what is read.
 *
 * @param most  bytes that it may have
 * @param owner whose it is, where it was opened; NULL: nobody asks
 * @return a descriptor for reading, close-on-exec; -1 with errno set (ELOOP: a link, EINVAL: no file, EFBIG:
 * too long)
 */
int trusted_regular(const char *path, off_t most, uid_t *owner);

/**
 * As trusted_regular(), for a file that says what is done with root's power: it must belong to root, and
 * nobody else may write to it.
 *
 * @return as above (EPERM: somebody else's)
 */
int trusted_own(const char *path, off_t most);

/**
 * Open a directory, that belongs to root and that nobody else may write to, to read the names in it.
 *
 * @return a descriptor, close-on-exec; -1 with errno set (EPERM: somebody else's)
 */
int trusted_directory(const char *path);

#endif
