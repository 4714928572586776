/*
 * Deadlines: they come in order, not early, and neither setting anew nor clearing leaves one behind.
 */
#include "tests/unit/unit.h"

#include "unpriv/worker/clock.h"
#include "unpriv/worker/deadlines.h"

#include <string.h>
#include <sys/time.h>
#include <time.h>

static struct deadlines deadlines;
static struct deadline guests[8];

static int begin(void **state)
{
    (void)state;
    memset(&deadlines, 0, sizeof(deadlines));
    memset(guests, 0, sizeof(guests));
    deadlines.duration[DEADLINE_REQUEST] = 1000;
    deadlines.duration[DEADLINE_SERVER] = 300;
    return 0;
}

static void none(void **state)
{
    (void)state;
    assert_true(deadlines_earliest(&deadlines) == DEADLINE_NEVER);
    assert_null(deadlines_expired(&deadlines, UINT64_MAX));
    deadlines_clear(&deadlines, &guests[0]);
}

static void not_early(void **state)
{
    (void)state;
    deadlines_set(&deadlines, &guests[0], DEADLINE_REQUEST, 0);
    assert_null(deadlines_expired(&deadlines, 1000));
    assert_true(deadlines_earliest(&deadlines) == 1001);
    assert_ptr_equal(deadlines_expired(&deadlines, 1001), &guests[0]);
    assert_int_equal(guests[0].kind, DEADLINE_REQUEST);
    assert_null(deadlines_expired(&deadlines, 5000));
}

static void earliest_of_all_kinds(void **state)
{
    (void)state;
    deadlines_set(&deadlines, &guests[0], DEADLINE_REQUEST, 10);
    deadlines_set(&deadlines, &guests[1], DEADLINE_SERVER, 20);
    deadlines_set(&deadlines, &guests[2], DEADLINE_SERVER, 30);
    assert_true(deadlines_earliest(&deadlines) == 321);
    assert_ptr_equal(deadlines_expired(&deadlines, 400), &guests[1]);
    assert_ptr_equal(deadlines_expired(&deadlines, 400), &guests[2]);
    assert_null(deadlines_expired(&deadlines, 400));
    assert_true(deadlines_earliest(&deadlines) == 1011);
}

static void setting_again_replaces(void **state)
{
    (void)state;
    deadlines_set(&deadlines, &guests[0], DEADLINE_SERVER, 10);
    deadlines_set(&deadlines, &guests[1], DEADLINE_SERVER, 20);
    deadlines_set(&deadlines, &guests[0], DEADLINE_SERVER, 30);
    assert_ptr_equal(deadlines_expired(&deadlines, 1000), &guests[1]);
    assert_ptr_equal(deadlines_expired(&deadlines, 1000), &guests[0]);
    assert_null(deadlines_expired(&deadlines, 1000));
    deadlines_set(&deadlines, &guests[0], DEADLINE_SERVER, 2000);
    deadlines_set(&deadlines, &guests[0], DEADLINE_REQUEST, 2000);
    assert_true(deadlines_earliest(&deadlines) == 3001);
}

static void cleared_ones_never_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(guests); i++)
        deadlines_set(&deadlines, &guests[i], i % 2 ? DEADLINE_SERVER : DEADLINE_REQUEST, i);
    for (size_t i = 0; i < COUNT(guests); i++)
        deadlines_clear(&deadlines, &guests[COUNT(guests) - 1 - i]);
    assert_null(deadlines_expired(&deadlines, UINT64_MAX));
    assert_true(deadlines_earliest(&deadlines) == DEADLINE_NEVER);
}

static void clocks_agree(void **state)
{
    struct timeval now;
    uint64_t before = clock_ms();

    (void)state;
    assert_true(before > 0);
    assert_true(clock_ms() >= before);
    assert_int_equal(gettimeofday(&now, NULL), 0);
    assert_true(now.tv_sec - time(NULL) <= 1 && time(NULL) - now.tv_sec <= 1);
    assert_true(now.tv_usec >= 0 && now.tv_usec < 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(none, begin),
        cmocka_unit_test_setup(not_early, begin),
        cmocka_unit_test_setup(earliest_of_all_kinds, begin),
        cmocka_unit_test_setup(setting_again_replaces, begin),
        cmocka_unit_test_setup(cleared_ones_never_come, begin),
        cmocka_unit_test(clocks_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
