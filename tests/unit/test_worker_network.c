/*
 * The table of networks: numbers, and what a number that is used again starts with.
 */
#include "tests/unit/unit.h"

#include "unpriv/worker/network.h"

#include <string.h>

#define CAPACITY 16384

static struct network_table table;

static void numbers(void **state)
{
    (void)state;
    assert_true(network_table_reserve(&table, CAPACITY));
    for (uint32_t number = 0; number < CAPACITY; number += 100) {
        assert_null(network_find(&table, number));
        struct worker_network *network = network_take(&table, number);
        assert_non_null(network);
        assert_int_equal(network->number, number);
        assert_ptr_equal(network_find(&table, number), network);
        assert_ptr_equal(network_take(&table, number), network); /* to be changed */
    }
    assert_null(network_find(&table, 1));
    assert_non_null(network_take(&table, CAPACITY - 1));
    assert_null(network_take(&table, CAPACITY));
    assert_null(network_find(&table, CAPACITY));
    assert_null(network_take(&table, UINT32_MAX));
    assert_null(network_find(&table, UINT32_MAX));
}

static void used_again(void **state)
{
    static const struct worker_network unused;

    (void)state;
    assert_true(network_table_reserve(&table, 1));
    struct worker_network *network = network_take(&table, 0);
    assert_memory_equal(&network->given, &unused.given, sizeof(unused.given));
    memset(&network->given, 'x', sizeof(network->given));
    network->rates.limits[0].limit = 3;
    assert_ptr_equal(network_take(&table, 0), network); /* what is there stays */
    assert_int_equal(network->rates.limits[0].limit, 3);
    network_give(network);
    assert_null(network_find(&table, 0));
    assert_ptr_equal(network_take(&table, 0), network);
    assert_memory_equal(&network->given, &unused.given, sizeof(unused.given));
    assert_int_equal(network->rates.limits[0].limit, 0);
    assert_true(list_empty(&network->sources) && list_empty(&network->listeners));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(used_again)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
