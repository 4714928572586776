/*
 * The table of start steps: numbers that an exit status can carry, each once, each with both its texts.
 */
#include "tests/unit/unit.h"

#include "ipc/steps.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static const int numbers[] = {
#define STEP(id, status, what, advice) (id),
    METAWARD_STEPS(STEP)
#undef STEP
};

static void numbers_are_exit_statuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        assert_true(numbers[i] >= 2 && numbers[i] < 126); /* shells use 126 and more themselves */
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(numbers[i], numbers[j]);
    }
}

static void texts_are_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        assert_true(strlen(step_what(numbers[i])) > 3);
        assert_true(strlen(step_advice(numbers[i])) > 3);
        assert_string_not_equal(step_what(numbers[i]), step_what(0));
    }
    assert_string_equal(step_what(STEP_LISTEN), "listen");
    assert_string_equal(step_advice(STEP_USAGE), "see metawardd --help");
}

static void unknown_numbers(void **state)
{
    static const int unknown[] = {0, 1, 3, 255, -1, INT_MAX, INT_MIN};

    (void)state;
    for (size_t i = 0; i < COUNT(unknown); i++) {
        assert_string_equal(step_what(unknown[i]), "do something unknown");
        assert_string_equal(step_advice(unknown[i]), "report this as a bug");
    }
}

static void errno_names(void **state)
{
    (void)state;
    assert_string_equal(errno_name(ENOENT), "ENOENT");
    assert_string_equal(errno_name(EADDRINUSE), "EADDRINUSE");
    assert_string_equal(errno_name(0), "no error");
    assert_string_equal(errno_name(-1), "E?");
    assert_string_equal(errno_name(INT_MAX), "E?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_exit_statuses),
        cmocka_unit_test(texts_are_there),
        cmocka_unit_test(unknown_numbers),
        cmocka_unit_test(errno_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
