/*
 * libevent's memory. See arena.h for the theory.
 *
 * In front of each block lies its size class. A free block holds the pointer to the next free one.
 */
#include "unpriv/worker/arena.h"

#include "unpriv/worker/memory.h"

#include <string.h>

#define HEADER      16 /* keeps the blocks aligned for any type */
#define CLASS_LEAST 5  /* 32 bytes: header, and 16 bytes of use */

struct header {
    uint32_t size_class;
};

static struct header *header_of(void *block)
{
    return (struct header *)(void *)((char *)block - HEADER);
}

static unsigned class_for(size_t bytes)
{
    unsigned size_class = CLASS_LEAST;

    while (size_class < ARENA_CLASSES && ((size_t)1 << size_class) - HEADER < bytes)
        size_class++;
    return size_class;
}

bool arena_reserve(struct arena *arena, size_t size)
{
    memset(arena, 0, sizeof(*arena));
    arena->memory = memory_reserve(size);
    if (!arena->memory)
        return false;
    arena->size = size;
    return true;
}

void *arena_allocate(struct arena *arena, size_t bytes)
{
    unsigned size_class = class_for(bytes);
    struct arena_spare *spare;
    char *block;

    if (bytes == 0 || size_class >= ARENA_CLASSES)
        return NULL;
    spare = arena->spare[size_class];
    if (spare) {
        arena->spare[size_class] = spare->next;
        return spare;
    }
    if ((size_t)1 << size_class > arena->size - arena->used)
        return NULL;
    block = arena->memory + arena->used + HEADER;
    arena->used += (size_t)1 << size_class;
    header_of(block)->size_class = size_class;
    return block;
}

void arena_release(struct arena *arena, void *block)
{
    struct arena_spare *spare = block;
    uint32_t size_class;

    if (!block)
        return;
    size_class = header_of(block)->size_class;
    spare->next = arena->spare[size_class];
    arena->spare[size_class] = spare;
}

void *arena_resize(struct arena *arena, void *block, size_t bytes)
{
    size_t size;
    void *moved;

    if (!block)
        return arena_allocate(arena, bytes);
    if (bytes == 0) {
        arena_release(arena, block);
        return NULL;
    }
    size = ((size_t)1 << header_of(block)->size_class) - HEADER;
    if (bytes <= size)
        return block;
    moved = arena_allocate(arena, bytes);
    if (!moved)
        return NULL;
    memcpy(moved, block, size);
    arena_release(arena, block);
    return moved;
}
