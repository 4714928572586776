/*
 * Reserving memory. See memory.h.
 */
#include "unpriv/worker/memory.h"

#include <errno.h>
#include <sys/mman.h>

void *memory_reserve(size_t bytes)
{
    void *memory;

    if (bytes == 0)
        bytes = 1;
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    /* EINVAL: a kernel without huge pages has nothing to switch off. */
    if (madvise(memory, bytes, MADV_NOHUGEPAGE) != 0 && errno != EINVAL)
        return NULL;
    return memory;
}
