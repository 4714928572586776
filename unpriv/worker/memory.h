/*
 * Memory that is reserved once, before confinement, and touched only as it is used.
 */
#ifndef METAWARD_UNPRIV_WORKER_MEMORY_H
#define METAWARD_UNPRIV_WORKER_MEMORY_H

#include <stddef.h>

/**
 * Map anonymous, zeroed memory. Pages cost nothing until they are first written; huge pages are off for it,
 * because one of those would make all of it resident at once. What is small shares a page with other such
 * memory, so that a table of one entry does not cost a whole one.
 *
 * @param bytes 0 is taken as 1
 * @return 64-byte aligned memory that is never given back, or NULL with errno set
 */
void *memory_reserve(size_t bytes);

#endif
