/*
 * See clock.h.
 */
#include "ipc/clock.h"

#include <time.h>

int64_t clock_now(void)
{
    static int64_t last;
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) == 0)
        last = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    return last;
}
