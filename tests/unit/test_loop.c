/*
 * The loop: times in their order, whatever the order in which they were set, and descriptors as they get
 * ready.
 */
#include "ipc/clock.h"
#include "ipc/loop.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MANY 5000

static struct timer timers[MANY];
static int64_t last;
static unsigned runs, wakes;

static void run_in_order(struct timer *timer)
{
    assert_int_equal(timer->place, 0);
    assert_true(timer->due >= last);
    last = timer->due;
    runs++;
}

static void until_none_is_left(unsigned expected)
{
    runs = 0;
    last = 0;
    while (runs < expected)
        assert_true(loop_turn());
    assert_int_equal(runs, expected);
}

static void timers_run_in_the_order_of_their_times(void **state)
{
    int64_t now = clock_now();
    (void)state;
    srand(1);
    for (unsigned i = 0; i < MANY; i++) {
        timers[i].run = run_in_order;
        loop_timer(&timers[i], now - rand() % 10000);
    }
    for (unsigned i = 0; i < MANY; i += 3) /* moved, */
        loop_timer(&timers[i], now - rand() % 10000);
    for (unsigned i = 0; i < MANY; i += 5) /* and taken out */
        loop_timer(&timers[i], 0);
    until_none_is_left(MANY - MANY / 5);
}

static void a_timer_waits_for_its_time(void **state)
{
    int64_t now = clock_now();
    (void)state;
    loop_timer(&timers[0], now + 30);
    loop_timer(&timers[1], now + 10);
    loop_timer(&timers[1], now + 10);
    until_none_is_left(2);
    assert_true(clock_now() - now >= 30);
}

static void run_again(struct timer *timer)
{
    if (++runs < 3)
        loop_timer(timer, clock_now() + 1);
}

static void a_timer_can_set_itself_again(void **state)
{
    (void)state;
    timers[0].run = run_again;
    loop_timer(&timers[0], clock_now());
    until_none_is_left(3);
}

static void wake(struct watch *watch, uint32_t events)
{
    (void)watch;
    assert_true(events & (EPOLLIN | EPOLLHUP));
    wakes++;
}

static void a_watched_descriptor_wakes_until_it_is_forgotten(void **state)
{
    int ends[2];
    struct watch watch = {wake};
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_true(loop_watch(&watch, ends[0], EPOLLIN));
    assert_true(loop_watch(&watch, ends[0], EPOLLIN)); /* the same again is no failure */
    assert_int_equal(write(ends[1], "x", 1), 1);
    wakes = 0;
    assert_true(loop_turn());
    assert_int_equal(wakes, 1);
    loop_forget(ends[0]);
    loop_forget(ends[0]);
    timers[0].run = run_in_order;
    loop_timer(&timers[0], clock_now() + 1);
    until_none_is_left(1);
    assert_int_equal(wakes, 1);
    close(ends[0]);
    close(ends[1]);
    assert_false(loop_watch(&watch, ends[0], EPOLLIN));
}

static int begin(void **state)
{
    (void)state;
    return loop_begin() ? 0 : 1;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_run_in_the_order_of_their_times),
        cmocka_unit_test(a_timer_waits_for_its_time),
        cmocka_unit_test(a_timer_can_set_itself_again),
        cmocka_unit_test(a_watched_descriptor_wakes_until_it_is_forgotten),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
