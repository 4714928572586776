/*
 * To become another program that has no power: what is left of a process whose work others do from now on.
 */
#ifndef METAWARD_POLICY_BECOME_H
#define METAWARD_POLICY_BECOME_H

#include <stddef.h>
#include <sys/types.h>

/**
 * Give up every capability, and execute a program with exactly these descriptors beside 0, 1 and 2.
 *
 * @param executable from trusted_executable()
 * @param arguments  for main(), ended by NULL
 * @param real       the real user from now on, whom the file system takes us for where the program asks for
 *                   that; the effective one stays
 * @param fds        become first, first + 1 and so on; -1: that number stays closed
 * @return only where that failed: the step, with errno set
 */
int become(int executable, char *const *arguments, uid_t real, const int *fds, int first, size_t count);

#endif
