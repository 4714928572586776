/*
 * Pools of items. See pool.h for the theory.
 */
#include "unpriv/worker/pool.h"

#include "unpriv/worker/memory.h"

#include <string.h>

#define CACHE_LINE 64

bool pool_reserve(struct pool *pool, size_t size, uint32_t capacity)
{
    memset(pool, 0, sizeof(*pool));
    pool->size = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    pool->memory = memory_reserve(pool->size * capacity);
    pool->capacity = capacity;
    return pool->memory != NULL;
}

void *pool_take(struct pool *pool)
{
    void *item = pool->spare;

    if (item) {
        memcpy(&pool->spare, item, sizeof(void *));
    } else {
        if (pool->touched == pool->capacity)
            return NULL;
        item = pool->memory + pool->size * pool->touched;
        pool->touched++;
    }
    pool->used++;
    return item;
}

void pool_give(struct pool *pool, void *item)
{
    memcpy(item, &pool->spare, sizeof(void *));
    pool->spare = item;
    pool->used--;
}
