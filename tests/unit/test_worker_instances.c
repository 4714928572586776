/*
 * The worker's records of guests: found by address, replaced as a whole; and the paths that are its own.
 */
#include "tests/unit/unit.h"
#include "unpriv/worker/instances.h"
#include "unpriv/worker/own_path.h"

#include <string.h>

#define MOST 1000

static struct instance instance_of(unsigned number, unsigned generation)
{
    struct instance instance = {.family = ADDRESS_IPV4,
                                .ip = {240, 0, (uint8_t)(number >> 8), (uint8_t)number},
                                .id = "0a0b0c0d-0000-4000-8000-000000000003",
                                .tenant = "a0",
                                .signature = "00"};

    instance.tenant[1] = (char)('0' + generation);
    return instance;
}

static struct address address_of(unsigned number)
{
    const struct instance instance = instance_of(number, 0);
    struct address address = {.family = ADDRESS_IPV4, .port = 1234};

    memcpy(address.ip, instance.ip, sizeof(address.ip));
    return address;
}

static struct instance_batch batch_of(uint32_t total, uint32_t first, unsigned generation)
{
    struct instance_batch batch = {.total = total, .first = first};

    while (batch.count < INSTANCE_BATCH && first + batch.count < total) {
        batch.entry[batch.count] = instance_of(first + batch.count, generation);
        batch.count++;
    }
    return batch;
}

static bool take(struct instance_table *table, uint32_t total, uint32_t first, unsigned generation)
{
    const struct instance_batch batch = batch_of(total, first, generation);

    return instance_table_take(table, &batch);
}

/* @return the generation of a guest's record, -1 where there is none */
static int generation(const struct instance_table *table, unsigned number)
{
    const struct address address = address_of(number);
    const struct instance *instance = instance_table_find(table, &address);

    return instance != NULL ? instance->tenant[1] - '0' : -1;
}

static void a_table_takes_the_place_of_another_as_a_whole(void **state)
{
    struct instance_table table;

    (void)state;
    assert_true(instance_table_reserve(&table, MOST));
    assert_int_equal(generation(&table, 0), -1);
    for (uint32_t first = 0; first < MOST; first += INSTANCE_BATCH) {
        assert_int_equal(generation(&table, 0), -1);
        assert_true(take(&table, MOST, first, 1));
    }
    for (unsigned i = 0; i < MOST; i++)
        assert_int_equal(generation(&table, i), 1);
    assert_int_equal(generation(&table, MOST), -1);
    assert_true(take(&table, 6, 0, 2));
    assert_int_equal(generation(&table, 0), 1);
    assert_true(take(&table, 6, 4, 2));
    assert_int_equal(generation(&table, 5), 2);
    assert_int_equal(generation(&table, 6), -1);
    assert_true(take(&table, 8, 0, 3)); /* given up half-way for another one */
    assert_true(take(&table, 3, 0, 4));
    assert_int_equal(generation(&table, 2), 4);
    assert_int_equal(generation(&table, 3), -1);
    assert_true(take(&table, 0, 0, 5));
    assert_int_equal(generation(&table, 0), -1);
    assert_true(take(&table, 1, 0, 6));
    assert_int_equal(generation(&table, 0), 6);
}

static void what_does_not_follow_is_refused(void **state)
{
    struct instance_table table, none;

    (void)state;
    assert_true(instance_table_reserve(&table, 8));
    assert_false(take(&table, 9, 0, 1));
    assert_false(take(&table, 8, 4, 1));
    assert_true(take(&table, 8, 0, 1));
    assert_false(take(&table, 7, 4, 1));
    assert_true(take(&table, 8, 4, 1));
    assert_false(take(&table, 8, 4, 1));
    assert_true(instance_table_reserve(&none, 0));
    assert_false(take(&none, 0, 0, 1));
    assert_int_equal(generation(&none, 0), -1);
}

static void the_first_of_two_with_one_address_holds(void **state)
{
    struct instance_table table;
    struct instance_batch batch = batch_of(3, 0, 1);
    struct address ipv6 = {.family = ADDRESS_IPV6, .ip = {240}};

    (void)state;
    assert_true(instance_table_reserve(&table, 3));
    batch.entry[2] = instance_of(0, 2);
    assert_true(instance_table_take(&table, &batch));
    assert_int_equal(generation(&table, 0), 1);
    assert_int_equal(generation(&table, 1), 1);
    assert_null(instance_table_find(&table, &ipv6)); /* the same bytes, another family */
}

static enum own_path path_of(const char *target)
{
    static const struct settings settings = {.monitor_path = "/check", .stats_path = "/a/stats"};

    return own_path_of(&settings, target, strlen(target));
}

static void own_paths(void **state)
{
    static const struct settings none;

    (void)state;
    assert_int_equal(path_of("/check"), OWN_MONITOR);
    assert_int_equal(path_of("/check?a=/b"), OWN_MONITOR);
    assert_int_equal(path_of("/check/"), OWN_NONE);
    assert_int_equal(path_of("/checks"), OWN_NONE);
    assert_int_equal(path_of("/chec"), OWN_NONE);
    assert_int_equal(path_of(""), OWN_NONE);
    assert_int_equal(path_of("/a/stats"), OWN_STATS);
    assert_int_equal(path_of("/a/stats/"), OWN_STATS);
    assert_int_equal(path_of("/a/stats/b"), OWN_STATS);
    assert_int_equal(path_of("/a/stats;csv"), OWN_STATS);
    assert_int_equal(path_of("/a/stats?x"), OWN_STATS);
    assert_int_equal(path_of("/a/statistics"), OWN_NONE);
    assert_int_equal(path_of("/a/stat"), OWN_NONE);
    assert_int_equal(own_path_of(&none, "/", 1), OWN_NONE);
    assert_int_equal(own_path_of(&none, "", 0), OWN_NONE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_takes_the_place_of_another_as_a_whole),
        cmocka_unit_test(what_does_not_follow_is_refused),
        cmocka_unit_test(the_first_of_two_with_one_address_holds),
        cmocka_unit_test(own_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
