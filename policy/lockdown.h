/*
 * The last steps of a worker and of the dialer before their filters: dumpable, limits, Landlock. confine.h
 * has the whole order.
 */
#ifndef METAWARD_POLICY_LOCKDOWN_H
#define METAWARD_POLICY_LOCKDOWN_H

#include "ipc/steps.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

/** Set soft and hard limit. @return false with errno set */
bool confine_limit(__rlimit_resource_t resource, rlim_t value);

/** Make the process not dumpable: /proc/PID belongs to root, nobody may trace, no core. @return false with
 * errno set */
bool confine_not_dumpable(void);

/** No execve() adds rights from now on, and a filter may be loaded without any. @return false with errno set
 */
bool confine_no_new_privs(void);

/**
 * Steps "dumpable" to "Landlock", in the worker.
 *
 * @return 0, or the step that failed (enum step) with errno set
 */
int confine_worker(void);

/**
 * The same in the dialer.
 *
 * @param port the one TCP port that it may connect to
 */
int confine_dialer(uint16_t port);

#endif
