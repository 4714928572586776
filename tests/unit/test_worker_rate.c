/*
 * Request rates: what counts, for how long, for whom, and what happens when the table is full.
 */
#include "tests/unit/unit.h"

#include "unpriv/worker/rate.h"

#include <string.h>

#define START 5000000U /* some time after the machine's start */

static struct rate_table table;
static struct rate_share share;
static struct rate_excess excess;

static void make(uint32_t limit, uint32_t period_s, uint32_t limit2, uint32_t period2_s, uint32_t guests)
{
    const struct rate_limit limits[NETWORK_RATES] = {{period_s, limit}, {period2_s, limit2}};

    assert_true(rate_table_reserve(&table, guests, guests));
    memset(&share, 0, sizeof(share));
    rate_limits(&table, &share, limits, 0);
    memset(&excess, 0xAA, sizeof(excess));
}

static struct address guest(uint32_t number)
{
    struct address address = {.family = ADDRESS_IPV4, .port = (uint16_t)number};

    memcpy(address.ip, &number, sizeof(number));
    return address;
}

static bool ask(uint32_t number, uint64_t ms)
{
    struct address address = guest(number);

    return rate_count(&table, &share, &address, START + ms, &excess);
}

static void without_a_limit(void **state)
{
    (void)state;
    make(0, 0, 0, 0, 16);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(ask(1, 0));
    assert_int_equal(table.pool.touched, 0);
}

static void the_nth_passes(void **state)
{
    (void)state;
    make(10, 60, 0, 0, 16);
    for (unsigned i = 0; i < 10; i++)
        assert_true(ask(1, i));
    for (unsigned i = 0; i < 5; i++) { /* those that are refused count too */
        assert_false(ask(1, 10 + i));
        assert_int_equal(excess.rate, 11 + i);
        assert_int_equal(excess.limit.limit, 10);
        assert_int_equal(excess.limit.period_s, 60);
    }
    assert_true(ask(2, 15)); /* another guest */
}

/* Ten requests at the start of a period of 10 s weigh less and less in the next one. */
static void the_past_fades(void **state)
{
    (void)state;
    make(10, 10, 0, 0, 16);
    for (unsigned i = 0; i < 9; i++)
        assert_true(ask(1, 0));
    assert_true(ask(1, 9999));
    assert_false(ask(1, 10000)); /* 1 and all of the 10 */
    assert_int_equal(excess.rate, 11);
    assert_false(ask(1, 10001)); /* 2 and 9.999 of the 10: parts of a request do not count */
    assert_int_equal(excess.rate, 11);
    assert_false(ask(1, 12000)); /* 3 and 8 */
    assert_true(ask(1, 14001));  /* 4 and 5.999 */
    assert_true(ask(1, 14001));
    assert_false(ask(1, 14001));
    assert_true(ask(1, 19999)); /* 7 and 0.001 */
}

/* The rate that was told for each request, at so many milliseconds, by HAProxy 2.6 with http_req_rate(2s). */
static const struct {
    uint32_t at, rate;
} measured[] = {
    {0, 1},     {5, 2},     {6, 3},     {158, 4},   {309, 5},   {461, 6},   {612, 7},   {763, 8},
    {915, 9},   {1065, 10}, {1216, 11}, {1367, 12}, {1519, 13}, {1670, 14}, {1821, 15}, {1972, 16},
    {2124, 16}, {3625, 5},  {3629, 5},  {3633, 6},  {5534, 1},  {5735, 2},  {7837, 1},  {7848, 2},
    {8349, 3},  {9549, 4},  {10750, 3}, {11051, 3}, {11752, 3}, {12453, 3}, {12456, 4}, {13157, 4},
    {13457, 4}, {13509, 5}, {15500, 1}, {15511, 2}, {15912, 2},
};

/* With every limit that there could be, exactly those requests pass that HAProxy lets pass. */
static void as_measured(void **state)
{
    (void)state;
    for (uint32_t limit = 1; limit < 18; limit++) {
        make(limit, 2, 0, 0, 16);
        for (size_t i = 0; i < COUNT(measured); i++) {
            assert_int_equal(ask(1, measured[i].at), measured[i].rate <= limit);
            if (measured[i].rate > limit)
                assert_int_equal(excess.rate, measured[i].rate);
        }
    }
}

static void silence_for_a_period(void **state)
{
    (void)state;
    make(4, 10, 0, 0, 16);
    for (unsigned i = 0; i < 4; i++)
        assert_true(ask(1, 9000));
    assert_true(ask(2, 9000));
    assert_false(ask(1, 18999));
    assert_int_equal(excess.rate, 5);
    make(4, 10, 0, 0, 16);
    for (unsigned i = 0; i < 4; i++)
        assert_true(ask(1, 9000));
    assert_true(ask(1, 19000)); /* a new first period: nothing was before it */
    for (unsigned i = 0; i < 3; i++)
        assert_true(ask(1, 28999));
    assert_false(ask(1, 28999));
}

static void two_windows(void **state)
{
    (void)state;
    make(20, 60, 5, 1, 16);
    for (unsigned i = 0; i < 20; i++)
        assert_true(ask(1, i / 5 * 1000));
    assert_false(ask(1, 4000)); /* the base rate, though bursts would be allowed */
    assert_int_equal(excess.limit.period_s, 60);
    assert_int_equal(excess.rate, 21);
    make(20, 60, 5, 1, 16);
    for (unsigned i = 0; i < 5; i++)
        assert_true(ask(1, 0));
    assert_false(ask(1, 0));
    assert_int_equal(excess.limit.period_s, 1);
    assert_int_equal(excess.retry_after_s, 1);
    for (unsigned i = 0; i < 20; i++)
        assert_false(ask(1, 1));
    assert_int_equal(excess.limit.period_s, 60); /* the first of both */
    assert_int_equal(excess.limit.limit, 20);
    assert_true(excess.retry_after_s > 1);
}

/* After Retry-After seconds of silence a request passes, one second earlier it does not. */
static void retry_after(void **state)
{
    static const struct rate_limit limits[] = {{1, 1}, {2, 3}, {10, 1}, {10, 7}, {60, 100}, {86400, 50}};
    uint32_t random = 1;

    (void)state;
    for (unsigned round = 0; round < 600; round++) {
        const struct rate_limit limit = limits[round % COUNT(limits)];
        uint32_t first = random;
        uint64_t at = 0;
        for (unsigned early = 0; early < 2; early++) {
            unsigned refused = 0, wanted = 1 + round % 4;
            random = first;
            at = 0;
            make(limit.limit, limit.period_s, 0, 0, 16);
            while (refused < wanted) {
                random = random * 1103515245U + 12345U;
                at += (random >> 8) % (limit.period_s * 1500 / limit.limit / (1 + round % 3) + 1);
                refused += !ask(1, at);
            }
            assert_in_range(excess.retry_after_s, 1, limit.period_s);
            if (early == 0)
                assert_true(ask(1, at + excess.retry_after_s * UINT64_C(1000)));
            else if (excess.retry_after_s > 1)
                assert_false(ask(1, at + (excess.retry_after_s - 1) * UINT64_C(1000)));
        }
    }
}

static void a_guest_is_its_address(void **state)
{
    struct address v4 = guest(7), v6 = {.family = ADDRESS_IPV6}, other = {.family = ADDRESS_IPV6};

    (void)state;
    make(2, 10, 0, 0, 16);
    memcpy(v6.ip, v4.ip, sizeof(v6.ip));
    other.ip[15] = 1;
    for (unsigned i = 0; i < 2; i++) {
        v4.port = v6.port = other.port = (uint16_t)(i + 1);
        assert_true(rate_count(&table, &share, &v4, START, &excess));
        assert_true(rate_count(&table, &share, &v6, START, &excess));
        assert_true(rate_count(&table, &share, &other, START, &excess));
    }
    v4.port = v6.port = other.port = 99;
    assert_false(rate_count(&table, &share, &v4, START, &excess));
    assert_false(rate_count(&table, &share, &v6, START, &excess));
    assert_false(rate_count(&table, &share, &other, START, &excess));
}

/* The guest that has been silent for longest gives its place away, whatever its rate was. */
static void a_full_table(void **state)
{
    (void)state;
    make(1, 3600, 0, 0, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_true(ask(i, i));
    assert_false(ask(0, 10)); /* the oldest is 1 now */
    assert_true(ask(4, 11));
    assert_false(ask(0, 12));
    assert_false(ask(2, 13));
    assert_false(ask(3, 14));
    assert_true(ask(1, 15)); /* was forgotten; and takes the place of 4 */
    assert_false(ask(0, 16));
    assert_true(ask(4, 17));
}

/* Far more guests than places, again and again: all chains stay whole. */
static void many_guests(void **state)
{
    (void)state;
    make(1, 3600, 0, 0, 100);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 5000; i++)
            assert_true(ask(i, round));
    }
    for (uint32_t i = 4900; i < 5000; i++)
        assert_false(ask(i, 3));
    assert_true(ask(4899, 3));
    assert_int_equal(table.pool.used, 100);
}

/* The same guests in two networks: neither counts for, limits or, beyond its share, displaces the other's. */
static void networks_share_the_table(void **state)
{
    static const struct rate_limit once[NETWORK_RATES] = {{3600, 1}}, twice[NETWORK_RATES] = {{3600, 2}};
    struct rate_share shares[3] = {{.guests = 0}};
    struct address address;

    (void)state;
    assert_true(rate_table_reserve(&table, 10, 4));
    rate_limits(&table, &shares[0], once, 0);
    rate_limits(&table, &shares[1], twice, 1);
    address = guest(1);
    assert_true(rate_count(&table, &shares[0], &address, START, &excess));
    assert_false(rate_count(&table, &shares[0], &address, START, &excess));
    assert_true(rate_count(&table, &shares[1], &address, START, &excess));
    assert_true(rate_count(&table, &shares[1], &address, START, &excess));
    assert_false(rate_count(&table, &shares[1], &address, START, &excess));
    assert_int_equal(excess.limit.limit, 2);
    assert_true(rate_count(&table, &shares[2], &address, START, &excess)); /* no limit, no place */
    for (uint32_t i = 100; i < 200; i++) { /* far more guests than a share has places */
        address = guest(i);
        assert_true(rate_count(&table, &shares[0], &address, START + i, &excess));
        assert_in_range(shares[0].guests, 2, 4);
    }
    address = guest(1);
    assert_false(rate_count(&table, &shares[1], &address, START + 200, &excess)); /* is still known */
    assert_true(rate_count(&table, &shares[0], &address, START + 200, &excess));  /* was forgotten */
    assert_int_equal(table.pool.used, 5);
}

/* Shares that together are more than the table: then the one who was silent for longest of all gives way. */
static void all_shares_full(void **state)
{
    static const struct rate_limit once[NETWORK_RATES] = {{3600, 1}};
    struct rate_share shares[3] = {{.guests = 0}};

    (void)state;
    assert_true(rate_table_reserve(&table, 10, 4));
    for (uint32_t i = 0; i < 3; i++)
        rate_limits(&table, &shares[i], once, i);
    for (uint32_t i = 0; i < 12; i++) {
        struct address address = guest(i);
        assert_true(rate_count(&table, &shares[i / 4], &address, START + i, &excess));
    }
    assert_int_equal(table.pool.used, 10);
    assert_int_equal(shares[0].guests, 2);
    assert_int_equal(shares[1].guests, 4);
    assert_int_equal(shares[2].guests, 4);
    for (uint32_t i = 2; i < 12; i++) {
        struct address address = guest(i);
        assert_false(rate_count(&table, &shares[i / 4], &address, START + 20, &excess));
    }
    rate_forget(&table, &shares[1]);
    assert_int_equal(table.pool.used, 6);
    assert_int_equal(shares[1].guests, 0);
    for (uint32_t i = 4; i < 8; i++) {
        struct address address = guest(i);
        assert_true(rate_count(&table, &shares[1], &address, START + 30, &excess));
    }
}

/* New limits hold at once; what was counted stays where the periods stay. */
static void limits_change(void **state)
{
    static const struct rate_limit less[NETWORK_RATES] = {{10, 2}}, more[NETWORK_RATES] = {{10, 8}};
    static const struct rate_limit shorter[NETWORK_RATES] = {{5, 2}}, none[NETWORK_RATES] = {{0, 0}};

    (void)state;
    make(5, 10, 0, 0, 16);
    for (unsigned i = 0; i < 4; i++)
        assert_true(ask(1, i));
    rate_limits(&table, &share, less, 0);
    assert_false(ask(1, 10));
    assert_int_equal(excess.rate, 5);
    rate_limits(&table, &share, more, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_true(ask(1, 20));
    assert_false(ask(1, 20));
    rate_limits(&table, &share, shorter, 0);
    assert_int_equal(share.guests, 0);
    assert_true(ask(1, 9000));
    assert_true(ask(1, 9000));
    assert_false(ask(1, 9000));
    rate_limits(&table, &share, none, 0);
    for (unsigned i = 0; i < 100; i++)
        assert_true(ask(1, 9001));
    assert_int_equal(table.pool.used, 0);
}

static void told_once_a_second(void **state)
{
    (void)state;
    make(1, 10, 0, 0, 16);
    assert_true(ask(1, 0));
    assert_true(ask(2, 0));
    for (uint64_t at = 0; at < 3000; at += 100) {
        assert_false(ask(1, at));
        assert_int_equal(excess.tell, at % 1000 == 0);
    }
    assert_false(ask(2, 3000));
    assert_true(excess.tell);
}

/* The largest settings that there are, at the rate of one request each microsecond for a while. */
static void large_numbers(void **state)
{
    (void)state;
    make(1000000, 86400, 0, 0, 16);
    for (uint32_t i = 0; i < 1000000; i++)
        assert_true(ask(1, i / 1000));
    assert_false(ask(1, 1001));
    assert_int_equal(excess.rate, 1000001);
    assert_int_equal(excess.retry_after_s, 86400);
    assert_true(ask(1, 1001 + UINT64_C(86400000)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit),
        cmocka_unit_test(the_nth_passes),
        cmocka_unit_test(the_past_fades),
        cmocka_unit_test(as_measured),
        cmocka_unit_test(silence_for_a_period),
        cmocka_unit_test(two_windows),
        cmocka_unit_test(retry_after),
        cmocka_unit_test(a_guest_is_its_address),
        cmocka_unit_test(a_full_table),
        cmocka_unit_test(many_guests),
        cmocka_unit_test(networks_share_the_table),
        cmocka_unit_test(all_shares_full),
        cmocka_unit_test(limits_change),
        cmocka_unit_test(told_once_a_second),
        cmocka_unit_test(large_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
