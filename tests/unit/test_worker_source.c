/*
 * The table of sources: who has how many connections, and who has most, by a simple model beside it.
 */
#include "tests/unit/unit.h"

#include "unpriv/worker/network.h"
#include "unpriv/worker/siphash.h"
#include "unpriv/worker/source.h"

#include <string.h>

#define CONNECTIONS 256
#define GUESTS      40

static struct source_table table;
static struct worker_network networks[3];

static struct address guest(unsigned number)
{
    struct address address = {.family = ADDRESS_IPV4, .port = (uint16_t)(number + 1)};

    address.ip[0] = 10;
    address.ip[3] = (uint8_t)number;
    return address;
}

static int make_table(void **state)
{
    (void)state;
    memset(networks, 0, sizeof(networks));
    for (uint32_t i = 0; i < COUNT(networks); i++)
        networks[i].number = i;
    return source_table_reserve(&table, CONNECTIONS) ? 0 : -1;
}

static void a_source_is_its_address(void **state)
{
    struct address v4 = guest(1), same = guest(1), v6 = {.family = ADDRESS_IPV6};
    struct source *one, *other;

    (void)state;
    same.port = 9;
    memcpy(v6.ip, v4.ip, sizeof(v6.ip));
    one = source_join(&table, &networks[0], &v4);
    assert_ptr_equal(source_join(&table, &networks[0], &same), one);
    other = source_join(&table, &networks[0], &v6);
    assert_ptr_not_equal(other, one);
    assert_int_equal(one->count, 2);
    assert_string_equal(one->text, "10.0.0.1");
    assert_ptr_equal(source_biggest(&table), one);
    assert_ptr_equal(source_next_biggest(&table, one), other);
    assert_null(source_next_biggest(&table, other));
}

/* The same addresses in several networks: each network has its own sources, and a list of just them. */
static void networks_are_apart(void **state)
{
    struct source *sources[COUNT(networks)][4];

    (void)state;
    for (unsigned i = 0; i < COUNT(networks); i++) {
        for (unsigned number = 0; number < 4; number++) {
            struct address address = guest(number);

            sources[i][number] = source_join(&table, &networks[i], &address);
            assert_ptr_equal(source_join(&table, &networks[i], &address), sources[i][number]);
            assert_int_equal(sources[i][number]->count, 2);
            assert_ptr_equal(sources[i][number]->network, &networks[i]);
        }
    }
    for (unsigned i = 0; i < COUNT(networks); i++) {
        unsigned number = 0;

        for (struct list_node *node = networks[i].sources.first; node; node = node->next)
            assert_ptr_equal(list_owner(node, struct source, by_network), sources[i][number++]);
        assert_int_equal(number, 4);
    }
    for (unsigned number = 0; number < 4; number++) {
        source_leave(&table, sources[1][number]);
        source_leave(&table, sources[1][number]);
    }
    assert_true(list_empty(&networks[1].sources));
    assert_int_equal(table.pool.used, 8);
    assert_int_equal(sources[2][3]->count, 2);
}

static void the_last_connection_takes_it_away(void **state)
{
    struct address address = guest(7);
    struct source *source = source_join(&table, &networks[0], &address);

    (void)state;
    assert_int_equal(table.pool.used, 1);
    source_leave(&table, source);
    assert_int_equal(table.pool.used, 0);
    assert_null(source_biggest(&table));
    assert_ptr_equal(source_join(&table, &networks[0], &address), source);
    assert_int_equal(source->count, 1);
    assert_true(list_empty(&source->waiting));
}

static void full_table(void **state)
{
    struct address address = guest(1);

    (void)state;
    for (unsigned i = 0; i < CONNECTIONS; i++)
        assert_non_null(source_join(&table, &networks[0], &address));
    assert_null(source_join(&table, &networks[0], &address));
    assert_int_equal(source_biggest(&table)->count, CONNECTIONS);
}

/* Falling order from the biggest on, every source once. */
static void check_order(const unsigned *counts)
{
    unsigned seen = 0, last = CONNECTIONS;

    for (struct source *source = source_biggest(&table); source;
         source = source_next_biggest(&table, source)) {
        assert_true(source->count <= last && source->count > 0);
        assert_int_equal(source->count, counts[source->address.ip[3]]);
        last = source->count;
        seen++;
    }
    for (unsigned i = 0; i < GUESTS; i++)
        seen -= counts[i] > 0;
    assert_int_equal(seen, 0);
}

static void order_by_count(void **state)
{
    struct source *sources[GUESTS] = {NULL};
    unsigned counts[GUESTS] = {0}, total = 0;
    uint32_t random = 12345;

    (void)state;
    for (unsigned step = 0; step < 20000; step++) {
        unsigned number;

        random = random * 1664525 + 1013904223;
        number = (random >> 16) % GUESTS;
        if ((random >> 30) < 2 + (total < CONNECTIONS / 2) && total < CONNECTIONS) {
            struct address address = guest(number);

            sources[number] = source_join(&table, &networks[0], &address);
            assert_non_null(sources[number]);
            counts[number]++, total++;
        } else if (counts[number] > 0) {
            source_leave(&table, sources[number]);
            counts[number]--, total--;
        }
        check_order(counts);
    }
}

/* The reference vectors of SipHash-2-4: key 00..0f, message 00..(length - 1). */
static void siphash_vectors(void **state)
{
    uint8_t bytes[64];

    (void)state;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    assert_true(siphash(bytes, bytes, 0) == 0x726fdb47dd0e0e31);
    assert_true(siphash(bytes, bytes, 1) == 0x74f839c593dc67fd);
    assert_true(siphash(bytes, bytes, 8) == 0x93f5f5799a932462);
    assert_true(siphash(bytes, bytes, 15) == 0xa129ca6149be45e5);
    assert_true(siphash(bytes, bytes, 63) == 0x958a324ceb064572);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_source_is_its_address, make_table),
        cmocka_unit_test_setup(networks_are_apart, make_table),
        cmocka_unit_test_setup(the_last_connection_takes_it_away, make_table),
        cmocka_unit_test_setup(full_table, make_table),
        cmocka_unit_test_setup(order_by_count, make_table),
        cmocka_unit_test(siphash_vectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
