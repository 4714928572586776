/*
 * Reserving memory. See memory.h.
 */
#include "unpriv/worker/memory.h"

#include <errno.h>
#include <sys/mman.h>

#define SMALL      1024 /* bytes of what shares a page */
#define PAGE       4096
#define CACHE_LINE 64

static void *map(size_t bytes)
{
    void *memory;

    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    /* EINVAL: a kernel without huge pages has nothing to switch off. */
    if (madvise(memory, bytes, MADV_NOHUGEPAGE) != 0 && errno != EINVAL)
        return NULL;
    return memory;
}

/* The next place in the page for small reservations, in a new page where it is full. */
static void *share_page(size_t bytes)
{
    static char *free_from;
    static size_t left;
    void *memory;

    if (bytes > left) {
        free_from = map(PAGE);
        left = free_from ? PAGE : 0;
    }
    if (!free_from)
        return NULL;
    memory = free_from;
    free_from += bytes;
    left -= bytes;
    return memory;
}

void *memory_reserve(size_t bytes)
{
    if (bytes > SMALL)
        return map(bytes);
    return share_page(bytes == 0 ? CACHE_LINE : (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
}
