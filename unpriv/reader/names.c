/*
 * The tables of names. See names.h.
 */
#include "unpriv/reader/names.h"

#include "unpriv/worker/siphash.h"

#include <string.h>
#include <sys/auxv.h>

static uint32_t slot_of(const void *bytes, size_t length)
{
    const uint8_t *key = (const uint8_t *)(uintptr_t)getauxval(AT_RANDOM); /* 16 bytes */

    return (uint32_t)siphash(key, bytes, length) % NAMES_SLOTS;
}

void names_begin(struct names *names)
{
    if (names->count > 0)
        memset(names->slots, 0, sizeof(names->slots));
    names->count = 0;
}

uint32_t names_find(const struct names *names, const void *bytes, size_t length)
{
    uint32_t number;

    if (names->count == 0)
        return NAMES_NONE;
    for (number = names->slots[slot_of(bytes, length)]; number != 0; number = names->name[number - 1].next) {
        if (names->name[number - 1].length == length &&
            memcmp(names->name[number - 1].bytes, bytes, length) == 0)
            return number - 1;
    }
    return NAMES_NONE;
}

uint32_t names_add(struct names *names, const void *bytes, size_t length)
{
    const uint32_t number = names->count, slot = slot_of(bytes, length);

    if (number == NAMES_MOST)
        return NAMES_NONE;
    names->name[number].bytes = bytes;
    names->name[number].length = (uint32_t)length;
    names->name[number].next = names->slots[slot];
    names->slots[slot] = number + 1;
    names->count++;
    return number;
}
