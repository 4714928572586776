/*
 * Time for processes that wait: monotonic milliseconds, precise. (The worker's own clock is coarse.)
 */
#ifndef METAWARD_IPC_CLOCK_H
#define METAWARD_IPC_CLOCK_H

#include <stdint.h>

/** Monotonic milliseconds, never less than before. */
int64_t clock_now(void);

#endif
