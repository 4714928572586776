/*
 * Pools of items. See pool.h for the theory.
 */
#include "unpriv/worker/pool.h"

#include "unpriv/worker/memory.h"

#include <string.h>

#define CACHE_LINE 64

/* Under the address sanitizer, items that are not taken are out of bounds like freed memory. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, size)   ((void)(memory), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(memory, size) ((void)(memory), (void)(size))
#endif

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
        ASAN_UNPOISON_MEMORY_REGION(item, pool->size);
        pool->spare = pool->spare->next;
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
    struct pool_spare *spare = item;

    spare->next = pool->spare;
    pool->spare = spare;
    pool->used--;
    ASAN_POISON_MEMORY_REGION(item, pool->size);
}
