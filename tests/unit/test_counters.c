/*
 * Counting in shared memory: what the parent makes, what a worker takes, and what each sees of the other.
 */
#include "tests/unit/unit.h"

#include "ipc/counters.h"
#include "ipc/reason.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define OTHER "d9f7c1a0-1b2c-4d3e-8f90-0123456789ff"

static void uuid_of(char out[NETWORK_UUID_SIZE], const char *text)
{
    memset(out, 0, NETWORK_UUID_SIZE);
    strcpy(out, text);
}

static void what_one_counts_the_other_reads(void **state)
{
    char uuid[NETWORK_UUID_SIZE];
    struct counters copy;
    int fd = counters_make(3);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    struct counters *map = counters_map(fd, 3);
    assert_non_null(map);
    uuid_of(uuid, UUID);
    counters_begin(&map[2], uuid);
    counters_add(&map[2].connections, 2);
    counters_add(&map[2].refused[REASON_RATE_LIMITED], 1);
    assert_true(counters_read(fd, 2, &copy));
    assert_string_equal(copy.uuid, UUID);
    assert_int_equal(copy.connections, 2);
    assert_int_equal(copy.refused[REASON_RATE_LIMITED], 1);
    assert_true(counters_read(fd, 1, &copy));
    assert_int_equal(copy.uuid[0], '\0');
    copy.open_now = 7;
    assert_false(counters_read(fd, 3, &copy)); /* beyond its end */
    assert_int_equal(copy.open_now, 0);
    assert_false(counters_read(-1, 0, &copy));
    munmap(map, counters_size(3));
    close(fd);
}

static void its_size_is_fixed(void **state)
{
    int fd = counters_make(5);

    (void)state;
    assert_int_equal(lseek(fd, 0, SEEK_END), (off_t)counters_size(5));
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, 1 << 24), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    close(fd);
}

static void a_new_worker_goes_on_and_a_new_network_begins_anew(void **state)
{
    struct counters counters = {0};
    char uuid[NETWORK_UUID_SIZE];

    (void)state;
    uuid_of(uuid, UUID);
    counters_begin(&counters, uuid);
    counters_add(&counters.connections, 9);
    counters_add(&counters.open_now, 4);
    counters_add(&counters.open_now, (uint64_t)-1);
    assert_int_equal(counters.open_now, 3);
    counters_add(&counters.in_flight, 2);
    counters_begin(&counters, uuid);
    assert_int_equal(counters.connections, 9);
    assert_int_equal(counters.open_now, 0);
    assert_int_equal(counters.in_flight, 0);
    uuid_of(uuid, OTHER);
    counters_begin(&counters, uuid);
    assert_int_equal(counters.connections, 0);
    assert_string_equal(counters.uuid, OTHER);
    counters_end(&counters);
    assert_int_equal(counters.uuid[0], '\0');
}

static void latencies_fall_into_their_classes(void **state)
{
    struct counters counters = {0};

    (void)state;
    for (unsigned i = 1; i < COUNTERS_LATENCIES; i++)
        assert_true(counters_latency_most[i] > counters_latency_most[i - 1]);
    assert_int_equal(counters_latency_most[COUNTERS_LATENCIES - 1], UINT32_MAX);
    counters_latency(&counters, 0);
    counters_latency(&counters, 5);
    counters_latency(&counters, 6);
    counters_latency(&counters, 30000);
    counters_latency(&counters, 30001);
    counters_latency(&counters, (uint64_t)1 << 40);
    assert_int_equal(counters.latency[0], 2);
    assert_int_equal(counters.latency[1], 1);
    assert_int_equal(counters.latency[COUNTERS_LATENCIES - 2], 1);
    assert_int_equal(counters.latency[COUNTERS_LATENCIES - 1], 2);
    assert_int_equal(counters.latency_ms, 60012 + ((uint64_t)1 << 40));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_counts_the_other_reads),
        cmocka_unit_test(its_size_is_fixed),
        cmocka_unit_test(a_new_worker_goes_on_and_a_new_network_begins_anew),
        cmocka_unit_test(latencies_fall_into_their_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
