/*
 * A fixed number of items of one size. The one given back last is taken first, so the memory in use is the
 * memory that is in the cache, and items never used yet are never touched: there is no free list through
 * them, only a mark.
 */
#ifndef METAWARD_UNPRIV_WORKER_POOL_H
#define METAWARD_UNPRIV_WORKER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An item that was given back. */
struct pool_spare {
    struct pool_spare *next;
};

struct pool {
    char *memory;
    struct pool_spare *spare;
    size_t size; /* of an item, rounded up to whole cache lines */
    uint32_t capacity;
    uint32_t touched; /* items that were ever taken */
    uint32_t used;    /* items that are taken now */
};

/** Reserve memory for `capacity` items of `size` bytes. @return false with errno set */
bool pool_reserve(struct pool *pool, size_t size, uint32_t capacity);

/** @return an item, 64-byte aligned, with whatever contents it has; NULL where all are taken */
void *pool_take(struct pool *pool);

/** Give an item back. Its first eight bytes are overwritten. */
void pool_give(struct pool *pool, void *item);

#endif
