/*
 * Memory that is reserved once, before confinement, and touched only as it is used.
 */
#ifndef METAWARD_UNPRIV_WORKER_MEMORY_H
#define METAWARD_UNPRIV_WORKER_MEMORY_H

#include <stddef.h>

/**
 * Map anonymous, zeroed memory. Pages cost nothing until they are first written; huge pages are off for it,
 * because one of those would make all of it resident at once.
 *
 * @param bytes rounded up to whole pages; 0 is taken as 1
 * @return page-aligned memory that is never given back, or NULL with errno set
 */
void *memory_reserve(size_t bytes);

#endif
