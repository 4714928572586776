/*
 * The worker's memory: the arena for libevent, and pools; exhaustion is an ordinary answer.
 */
#include "tests/unit/unit.h"

#include "unpriv/worker/arena.h"
#include "unpriv/worker/pool.h"

#include <string.h>

#define ARENA_SIZE 65536

static struct arena arena;

static int make_arena(void **state)
{
    (void)state;
    return arena_reserve(&arena, ARENA_SIZE) ? 0 : -1;
}

static void blocks_are_apart_and_aligned(void **state)
{
    char *blocks[64];

    (void)state;
    for (size_t i = 0; i < COUNT(blocks); i++) {
        blocks[i] = arena_allocate(&arena, i + 1);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], (int)i, i + 1);
    }
    for (size_t i = 0; i < COUNT(blocks); i++) {
        for (size_t j = 0; j <= i; j++)
            assert_int_equal(blocks[i][j], (char)i);
    }
}

static void nothing_is_no_block(void **state)
{
    (void)state;
    assert_null(arena_allocate(&arena, 0));
    assert_null(arena_allocate(&arena, ARENA_SIZE));
    assert_null(arena_allocate(&arena, SIZE_MAX));
    arena_release(&arena, NULL);
}

static void released_blocks_are_used_again(void **state)
{
    void *first = arena_allocate(&arena, 100);
    void *second = arena_allocate(&arena, 100);
    size_t used = arena.used;

    (void)state;
    arena_release(&arena, first);
    arena_release(&arena, second);
    assert_ptr_equal(arena_allocate(&arena, 90), second);
    assert_ptr_equal(arena_allocate(&arena, 112), first);
    assert_int_equal(arena.used, used);
}

static void resizing_keeps_the_contents(void **state)
{
    char *block = arena_resize(&arena, NULL, 8);
    char *same, *moved;

    (void)state;
    assert_non_null(block);
    memcpy(block, "contents", 8);
    same = arena_resize(&arena, block, 16);
    assert_ptr_equal(same, block);
    moved = arena_resize(&arena, block, 500);
    assert_ptr_not_equal(moved, block);
    assert_memory_equal(moved, "contents", 8);
    assert_null(arena_resize(&arena, moved, 0));
    assert_ptr_equal(arena_allocate(&arena, 600), moved);
}

static void exhaustion_leaves_the_old_block(void **state)
{
    char *block = arena_allocate(&arena, 1000);
    unsigned count = 0;

    (void)state;
    memset(block, 'a', 1000);
    while (arena_allocate(&arena, 1000))
        count++;
    assert_true(count > 16 && count < 64);
    assert_null(arena_resize(&arena, block, 5000));
    assert_int_equal(block[999], 'a');
    arena_release(&arena, block);
    assert_ptr_equal(arena_allocate(&arena, 1000), block);
}

static void pools_give_the_last_first(void **state)
{
    struct pool pool;
    void *items[3];

    (void)state;
    assert_true(pool_reserve(&pool, 100, 3));
    for (size_t i = 0; i < COUNT(items); i++) {
        items[i] = pool_take(&pool);
        assert_non_null(items[i]);
        assert_int_equal((uintptr_t)items[i] % 64, 0);
    }
    assert_int_equal((char *)items[1] - (char *)items[0], 128);
    assert_null(pool_take(&pool));
    pool_give(&pool, items[1]);
    pool_give(&pool, items[0]);
    assert_int_equal(pool.used, 1);
    assert_ptr_equal(pool_take(&pool), items[0]);
    assert_ptr_equal(pool_take(&pool), items[1]);
    assert_null(pool_take(&pool));
    assert_int_equal(pool.touched, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(blocks_are_apart_and_aligned, make_arena),
        cmocka_unit_test_setup(nothing_is_no_block, make_arena),
        cmocka_unit_test_setup(released_blocks_are_used_again, make_arena),
        cmocka_unit_test_setup(resizing_keeps_the_contents, make_arena),
        cmocka_unit_test_setup(exhaustion_leaves_the_old_block, make_arena),
        cmocka_unit_test(pools_give_the_last_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
