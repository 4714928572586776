/*
 * The worker's time: monotonic, coarse (a few milliseconds), read without a system call.
 */
#ifndef METAWARD_UNPRIV_WORKER_CLOCK_H
#define METAWARD_UNPRIV_WORKER_CLOCK_H

#include <stdint.h>

/** Monotonic milliseconds; never less than before. */
uint64_t clock_ms(void);

#endif
