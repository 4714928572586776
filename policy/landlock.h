/*
 * Landlock: a second lock on files, TCP, abstract sockets and signals, where the kernel has it.
 *
 * The ruleset handles every right that the running kernel knows and allows none, but for one TCP port.
 * Connecting to a UNIX socket by its path is not among the rights that are handled here: the path's directory
 * is the process's root.
 */
#ifndef METAWARD_POLICY_LANDLOCK_H
#define METAWARD_POLICY_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

/**
 * Restrict this process. no_new_privs must be set.
 *
 * @param port the one TCP port that it may connect to (from ABI 4 on TCP is handled); 0: none
 * @return false with errno set where the kernel has Landlock and it failed; true where it worked or is not
 * there
 */
bool landlock_apply(uint16_t port);

/** The kernel's Landlock ABI version; 0 where there is none. */
int landlock_abi(void);

#endif
