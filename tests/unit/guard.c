/*
 * Two mappings of GUARD_ROOM bytes, each between two pages without any permission.
 */
#include "tests/unit/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static char *reserve(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *all = mmap(NULL, GUARD_ROOM + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(all, MAP_FAILED);
    assert_int_equal(mprotect(all + page, GUARD_ROOM, PROT_READ | PROT_WRITE), 0);
    return all + page;
}

/* Two rooms, so that a test may hold one placement of each kind. */
static char *room(unsigned which)
{
    static char *rooms[2];
    if (!rooms[which])
        rooms[which] = reserve();
    return rooms[which];
}

char *guard_at_end(const char *bytes, size_t length)
{
    assert_in_range(length, 0, GUARD_ROOM);
    return memmove(room(0) + GUARD_ROOM - length, bytes, length);
}

char *guard_at_start(const char *bytes, size_t length)
{
    assert_in_range(length, 0, GUARD_ROOM);
    return memmove(room(1), bytes, length);
}
