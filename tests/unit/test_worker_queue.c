/*
 * The order in which waiting requests go to the agent, and the caps on how many are there.
 */
#include "tests/unit/unit.h"

#include "unpriv/worker/queue.h"

#include <string.h>

static struct queue queue;
static struct source guests[4];
static struct waiter requests[4][8];

static int begin(void **state)
{
    (void)state;
    memset(&queue, 0, sizeof(queue));
    memset(guests, 0, sizeof(guests));
    memset(requests, 0, sizeof(requests));
    queue.most = 4;
    queue.most_per_source = 2;
    return 0;
}

static void push(unsigned guest, unsigned request)
{
    queue_push(&queue, &requests[guest][request], &guests[guest]);
}

static void expect(unsigned guest, unsigned request)
{
    assert_ptr_equal(queue_take(&queue), &requests[guest][request]);
}

static void done(unsigned guest)
{
    queue_done(&queue, &guests[guest]);
}

static void empty(void **state)
{
    (void)state;
    assert_null(queue_take(&queue));
}

static void first_in_first_out(void **state)
{
    (void)state;
    push(0, 0);
    push(0, 1);
    expect(0, 0);
    expect(0, 1);
    assert_null(queue_take(&queue));
    assert_int_equal(queue.in_flight, 2);
}

static void sources_take_turns(void **state)
{
    (void)state;
    queue.most = 100;
    queue.most_per_source = 100;
    for (unsigned i = 0; i < 4; i++)
        push(0, i);
    push(1, 0);
    push(2, 0);
    push(1, 1);
    expect(0, 0);
    expect(1, 0);
    expect(2, 0);
    expect(0, 1);
    expect(1, 1);
    expect(0, 2);
    expect(0, 3);
    assert_null(queue_take(&queue));
}

static void cap_of_a_source(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        push(0, i);
    expect(0, 0);
    expect(0, 1);
    assert_null(queue_take(&queue));
    push(1, 0);
    expect(1, 0);
    assert_null(queue_take(&queue));
    done(0);
    expect(0, 2);
    assert_null(queue_take(&queue));
}

static void cap_of_all(void **state)
{
    (void)state;
    for (unsigned guest = 0; guest < 4; guest++) {
        push(guest, 0);
        push(guest, 1);
    }
    for (unsigned guest = 0; guest < 4; guest++)
        expect(guest, 0);
    assert_null(queue_take(&queue));
    done(2);
    expect(0, 1);
    done(0);
    expect(1, 1);
    assert_null(queue_take(&queue));
}

static void put_back_is_first_again(void **state)
{
    (void)state;
    push(0, 0);
    push(0, 1);
    push(1, 0);
    expect(0, 0);
    queue_put_back(&queue, &requests[0][0]);
    assert_int_equal(queue.in_flight, 0);
    assert_int_equal(guests[0].in_flight, 0);
    expect(0, 0);
    expect(1, 0);
    expect(0, 1);
    assert_null(queue_take(&queue));
}

static void put_back_of_the_only_one(void **state)
{
    (void)state;
    push(0, 0);
    for (unsigned i = 0; i < 3; i++) {
        expect(0, 0);
        queue_put_back(&queue, &requests[0][0]);
    }
    queue_withdraw(&queue, &requests[0][0]);
    assert_null(queue_take(&queue));
    assert_false(guests[0].in_round);
}

static void withdrawn_ones_are_skipped(void **state)
{
    (void)state;
    push(0, 0);
    push(0, 1);
    push(1, 0);
    queue_withdraw(&queue, &requests[0][0]);
    queue_withdraw(&queue, &requests[1][0]);
    expect(0, 1);
    assert_null(queue_take(&queue));
    push(1, 1);
    expect(1, 1);
}

/* A greedy guest has hundreds waiting; every other one's single request is at most one round away. */
static void greedy_guests_wait_for_themselves(void **state)
{
    static struct waiter many[300];

    (void)state;
    queue.most = 1;
    for (unsigned i = 0; i < COUNT(many); i++)
        queue_push(&queue, &many[i], &guests[0]);
    for (unsigned i = 0; i < 50; i++) {
        unsigned before_it = 0;
        struct waiter *taken;

        push(1, 0);
        while ((taken = queue_take(&queue)) != &requests[1][0]) {
            assert_non_null(taken);
            queue_done(&queue, taken->source);
            before_it++;
        }
        queue_done(&queue, &guests[1]);
        assert_true(before_it <= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(empty, begin),
        cmocka_unit_test_setup(first_in_first_out, begin),
        cmocka_unit_test_setup(sources_take_turns, begin),
        cmocka_unit_test_setup(cap_of_a_source, begin),
        cmocka_unit_test_setup(cap_of_all, begin),
        cmocka_unit_test_setup(put_back_is_first_again, begin),
        cmocka_unit_test_setup(put_back_of_the_only_one, begin),
        cmocka_unit_test_setup(withdrawn_ones_are_skipped, begin),
        cmocka_unit_test_setup(greedy_guests_wait_for_themselves, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
