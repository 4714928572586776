/*
 * Records of instances, batches of them, the parent's two tables, and an answer of the reader as it comes in.
 */
#include "ipc/answer.h"
#include "ipc/instances.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct instance instance_of(unsigned number)
{
    return (struct instance){.family = ADDRESS_IPV4,
                             .ip = {240, 0, (uint8_t)(number >> 8), (uint8_t)number},
                             .id = "0a0b0c0d-0000-4000-8000-000000000003",
                             .tenant = "0123456789abcdef0123456789abcdef",
                             .signature = "0011223344556677"};
}

static struct instance_batch batch_of(uint32_t total, uint32_t first)
{
    struct instance_batch batch = {.total = total, .first = first};

    while (batch.count < INSTANCE_BATCH && first + batch.count < total) {
        batch.entry[batch.count] = instance_of(first + batch.count + 1);
        batch.count++;
    }
    return batch;
}

#define SPOILT(change)                                                                                       \
    do {                                                                                                     \
        struct instance instance = instance_of(1);                                                           \
        assert_true(instance_valid(&instance));                                                              \
        change;                                                                                              \
        if (instance_valid(&instance))                                                                       \
            fail_msg("taken with %s", #change);                                                              \
    } while (0)

static void records_are_checked(void **state)
{
    (void)state;
    SPOILT(instance.family = 5);
    SPOILT(instance.family = ADDRESS_IPV6; memset(instance.ip, 0, 16));
    SPOILT(instance.family = ADDRESS_IPV6; memcpy(instance.ip, "\0\0\0\0\0\0\0\0\0\0\377\377\1\2\3\4", 16));
    SPOILT(instance.ip[4] = 1);
    SPOILT(memset(instance.ip, 0, 16));
    SPOILT(instance.reserved = 1);
    SPOILT(instance.port = 80);
    SPOILT(instance.id[0] = 'x');
    SPOILT(instance.id[36] = 'a');
    SPOILT(instance.id[39] = 'a');
    SPOILT(memset(instance.tenant, 'a', sizeof(instance.tenant)));
    SPOILT(instance.tenant[0] = '\0');
    SPOILT(instance.tenant[0] = '_');
    SPOILT(instance.tenant[3] = '\r');
    SPOILT(instance.tenant[67] = 'a');
    SPOILT(memset(instance.signature, 0, sizeof(instance.signature)));
    SPOILT(memset(instance.signature, 'a', 65));
    SPOILT(instance.signature[0] = 'g');
}

#define BROKEN(change)                                                                                       \
    do {                                                                                                     \
        struct instance_batch batch = batch_of(10, 4);                                                       \
        assert_true(instance_batch_valid(&batch));                                                           \
        change;                                                                                              \
        if (instance_batch_valid(&batch))                                                                    \
            fail_msg("taken with %s", #change);                                                              \
    } while (0)

static void batches_are_checked(void **state)
{
    struct instance_batch none = {0};

    (void)state;
    assert_true(instance_batch_valid(&none));
    BROKEN(batch.total = INSTANCES_MOST + 1);
    BROKEN(batch.total = 7);
    BROKEN(batch.first = 7);
    BROKEN(batch.first = UINT32_MAX);
    BROKEN(batch.count = 5);
    BROKEN(batch.count = 3);
    BROKEN(batch.count = 0);
    BROKEN(memset(&batch, 0, sizeof(batch)); batch.total = 1);
    BROKEN(memset(&batch, 0, sizeof(batch)); batch.first = 1);
    BROKEN(batch.entry[3].ip[0] = 0; batch.entry[3].family = 0);
}

static void hold(uint32_t total)
{
    instances_begin(total);
    for (uint32_t first = 0; first < total; first += INSTANCE_BATCH) {
        const struct instance_batch batch = batch_of(total, first);
        assert_true(instances_take(&batch));
    }
    assert_true(instances_whole());
    instances_commit();
}

static void a_new_table_takes_the_old_ones_place_as_a_whole(void **state)
{
    struct instance_batch batch = batch_of(9, 0), held;

    (void)state;
    hold(6);
    instances_begin(9);
    assert_true(instances_take(&batch));
    assert_false(instances_take(&batch)); /* again */
    batch = batch_of(9, 8);
    assert_false(instances_take(&batch)); /* a gap */
    batch = batch_of(10, 4);
    assert_false(instances_take(&batch)); /* of another table */
    assert_false(instances_whole());
    assert_int_equal(instances_count(), 6);
    instances_batch(4, &held);
    assert_int_equal(held.count, 2);
    assert_int_equal(held.total, 6);
    assert_true(instance_batch_valid(&held));
    hold(0);
    assert_int_equal(instances_count(), 0);
    instances_batch(0, &held);
    assert_true(instance_batch_valid(&held));
}

static struct reading good_reading(uint32_t instances)
{
    struct reading reading;
    char error[CONFIG_ERROR_SIZE];

    reading_begin(&reading);
    config_default(&reading.config);
    reading.config.host_proxy = 1;
    assert_null(config_set_plain(&reading.config, "listen", "0.0.0.0:80"));
    assert_null(config_set_agent(&reading.config, "127.0.0.1", 8775));
    assert_true(config_finish(&reading.config, error));
    reading.config.given = 0;
    reading.ok = 1;
    reading.instances = instances;
    assert_true(reading_valid(&reading));
    return reading;
}

static int ends[2];

static void say(const void *bytes, size_t length)
{
    assert_int_equal(send(ends[1], bytes, length, 0), length);
}

/* What comes of the messages so far; then the reader ends. */
static enum answer_progress ended(void)
{
    struct reading out;
    const enum answer_progress before = answer_take(ends[0], &out);

    close(ends[1]);
    const enum answer_progress after = before == ANSWER_MORE ? answer_take(ends[0], &out) : before;
    close(ends[0]);
    return after;
}

static void begin(void)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    answer_begin();
}

static void an_answer_is_whole_or_nothing(void **state)
{
    struct reading reading = good_reading(5), out;
    struct instance_batch batch = batch_of(5, 0);
    char longer[sizeof(reading) + 1] = {0};

    (void)state;
    begin();
    assert_int_equal(answer_take(ends[0], &out), ANSWER_MORE);
    say(&reading, sizeof(reading));
    assert_int_equal(answer_take(ends[0], &out), ANSWER_MORE);
    say(&batch, sizeof(batch));
    assert_int_equal(answer_take(ends[0], &out), ANSWER_MORE);
    batch = batch_of(5, 4);
    say(&batch, sizeof(batch));
    assert_int_equal(ended(), ANSWER_WHOLE);

    begin();
    say(&reading, sizeof(reading));
    say(&batch, sizeof(batch)); /* the second one first */
    assert_int_equal(ended(), ANSWER_BAD);
    begin();
    say(&reading, sizeof(reading));
    assert_int_equal(ended(), ANSWER_BAD);
    assert_int_equal(errno, ECONNRESET);
    begin();
    say(&batch, sizeof(batch));
    assert_int_equal(ended(), ANSWER_BAD);
    begin();
    memcpy(longer, &reading, sizeof(reading));
    say(longer, sizeof(longer));
    assert_int_equal(ended(), ANSWER_BAD);
    begin();
    reading.instances = INSTANCES_MOST + 1;
    say(&reading, sizeof(reading));
    assert_int_equal(ended(), ANSWER_BAD);
    reading = good_reading(0);
    begin();
    say(&reading, sizeof(reading));
    assert_int_equal(ended(), ANSWER_WHOLE);
    assert_true(instances_whole());
}

static void waiting_for_an_answer_has_an_end(void **state)
{
    struct reading reading = good_reading(0), out;

    (void)state;
    begin();
    assert_false(answer_await(ends[0], 10, &out));
    assert_int_equal(errno, ETIMEDOUT);
    say(&reading, sizeof(reading));
    assert_true(answer_await(ends[0], 5000, &out));
    assert_memory_equal(&out, &reading, sizeof(out));
    close(ends[1]);
    assert_false(answer_await(ends[0], 5000, &out));
    assert_int_equal(errno, ECONNRESET);
    close(ends[0]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_checked),
        cmocka_unit_test(batches_are_checked),
        cmocka_unit_test(a_new_table_takes_the_old_ones_place_as_a_whole),
        cmocka_unit_test(an_answer_is_whole_or_nothing),
        cmocka_unit_test(waiting_for_an_answer_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
