/*
 * The allocator that libevent gets: one fixed piece of memory, never more.
 *
 * libevent allocates rarely (a slot for each descriptor number, arrays that double) and frees next to
 * nothing, so blocks are powers of two, taken from a free list of their size or else from the untouched end.
 * When the end is reached an allocation fails, which libevent reports to its caller as an ordinary error.
 */
#ifndef METAWARD_UNPRIV_WORKER_ARENA_H
#define METAWARD_UNPRIV_WORKER_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_CLASSES 32 /* block sizes 2^0 to 2^31; the smallest in use is 32 bytes */

/* A block that was released. */
struct arena_spare {
    struct arena_spare *next;
};

struct arena {
    char *memory;
    size_t size;
    size_t used; /* bytes up to the untouched end */
    struct arena_spare *spare[ARENA_CLASSES];
};

/** Give the arena its memory. @return false with errno set */
bool arena_reserve(struct arena *arena, size_t size);

/** @return 16-byte aligned memory that is not cleared; NULL where there is no room, or for 0 bytes */
void *arena_allocate(struct arena *arena, size_t bytes);

/** Like realloc(): NULL allocates, 0 bytes releases; after a failure the old block is still good. */
void *arena_resize(struct arena *arena, void *block, size_t bytes);

/** Give a block back to the free list of its size; NULL is ignored. */
void arena_release(struct arena *arena, void *block);

#endif
