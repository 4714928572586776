/*
 * The worker's time. See clock.h.
 */
#include "unpriv/worker/clock.h"

#include <sys/time.h>
#include <time.h>

uint64_t clock_ms(void)
{
    static uint64_t last;
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC_COARSE, &now) == 0)
        last = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    return last;
}

/*
 * libevent reads the wall clock now and then, although nothing here asks for it. On machines whose clock
 * source the kernel can't show to programs, gettimeofday() would be a system call that the worker's policy
 * does not know; in terms of clock_gettime() it is one that it does. This definition takes the place of
 * libc's in the worker's executable.
 */
/* cppcheck-suppress unusedFunction */
int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0)
        return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}
