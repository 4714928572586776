/*
 * See pinned.h for the theory.
 */
#include "unpriv/pinned.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

static void *pinned;
static socklen_t length_pinned;

bool pinned_write(const void *address, socklen_t length)
{
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return false;
    memcpy(page, address, length);
    if (mprotect(page, PAGE, PROT_READ) != 0)
        return false;
    /* Before Linux 6.10 there is no seal; the filter, which allows no call that changes a mapping, holds
     * alone. */
    if (syscall(SYS_mseal, page, (size_t)PAGE, 0UL) != 0 && errno != ENOSYS)
        return false;
    pinned = page;
    length_pinned = length;
    return true;
}

const struct sockaddr *pinned_address(void)
{
    return pinned;
}

socklen_t pinned_length(void)
{
    return length_pinned;
}
