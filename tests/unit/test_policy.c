/*
 * The policy tables themselves: consistent, complete in their reasons, and within their bounds.
 */
#include "policy/policy.h"
#include "policy/table.h"
#include "tests/unit/unit.h"

#include <sched.h>
#include <string.h>
#include <sys/socket.h>

static void no_call_is_both_bare_and_pinned(void **state)
{
    (void)state;
    for (enum policy_role role = POLICY_PARENT; role < POLICY_ROLE_COUNT; role++) {
        const struct policy_line *line = policy_check(policy_of(role));
        if (line != NULL)
            fail_msg("%s: %s", policy_of(role)->name, line->name);
    }
}

static void a_mixed_table_is_found(void **state)
{
    (void)state;
    static const struct policy_line mixed[] = {BARE(socket, "x"), PINNED(socket, "x", INT(0, AF_UNIX))};
    static const struct policy_line twice[] = {BARE(close, "x"), BARE(close, "x")};
    static const struct policy_line both[] = {PINNED(socket, "x", INT(0, AF_UNIX)), REFUSED(socket, 1, "x")};
    static const struct policy_line good[] = {PINNED(socket, "x", INT(0, AF_UNIX)),
                                              PINNED(socket, "x", INT(0, AF_INET))};
    assert_non_null(policy_check(&(struct policy){"mixed", mixed, COUNT(mixed), NO_LINES, NO_LINES}));
    assert_non_null(policy_check(&(struct policy){"twice", twice, COUNT(twice), NO_LINES, NO_LINES}));
    assert_non_null(policy_check(&(struct policy){"both", both, COUNT(both), NO_LINES, NO_LINES}));
    assert_null(policy_check(&(struct policy){"good", good, COUNT(good), NO_LINES, NO_LINES}));
}

static void every_line_says_why(void **state)
{
    (void)state;
    for (enum policy_role role = POLICY_PARENT; role < POLICY_ROLE_COUNT; role++) {
        for (size_t i = 0; i < policy_length(policy_of(role)); i++) {
            const struct policy_line *line = policy_at(policy_of(role), i);
            assert_true(line->why != NULL && strlen(line->why) > 5);
            assert_true(line->action == POLICY_ALLOW ? line->error == 0 : line->error > 0);
            for (unsigned pin = 0; pin < line->pin_count; pin++)
                assert_true(line->pins[pin].text != NULL && line->pins[pin].mask != 0);
        }
    }
}

static void the_worker_has_at_most_fourteen_calls(void **state)
{
    (void)state;
#ifdef METAWARD_SANITIZED
    assert_true(policy_of(POLICY_WORKER)->more_count > 0);
#else
    assert_in_range(policy_allowed(policy_of(POLICY_WORKER)), 1, 14);
    assert_int_equal(policy_of(POLICY_WORKER)->more_count, 0);
#endif
}

/* It reads, says what it found, and ends. */
static void the_readers_have_few_calls(void **state)
{
    (void)state;
#ifdef METAWARD_SANITIZED
    skip();
#endif
    assert_int_equal(policy_allowed(policy_of(POLICY_READER)), 3);
    assert_int_equal(policy_allowed(policy_of(POLICY_READER_HOST)),
                     5); /* more than one file comes and goes */
}

/* A filter is inherited, and killing goes before refusing: what the nursery does not have, a worker neither
 * has nor refuses. */
static void the_worker_has_nothing_that_the_nursery_lacks(void **state)
{
    (void)state;
    const struct policy *worker = policy_of(POLICY_WORKER), *nursery = policy_of(POLICY_NURSERY);
    for (size_t i = 0; i < policy_length(worker); i++) {
        bool found = false;
        for (size_t j = 0; !found && j < policy_length(nursery); j++)
            found = policy_at(nursery, j)->number == policy_at(worker, i)->number;
        if (!found && !policy_at(worker, i)->delta)
            fail_msg("%s", policy_at(worker, i)->name);
    }
}

/* The host daemon's parent enters namespaces, of networks and no others, and binds its listeners in there. */
static bool hosts_own(const struct policy_line *line)
{
    bool into_networks = line->pin_count == 1 && line->pins[0].argument == 1 &&
                         line->pins[0].value == CLONE_NEWNET && line->pins[0].mask == 0xffffffffU;
    return line->number == SYS_bind || (line->number == SYS_setns && into_networks);
}

/* What must never be in any table, whatever reason somebody may find for it. */
static void the_worst_calls_are_nowhere(void **state)
{
    (void)state;
    static const int worst[] = {
        SYS_ptrace,         SYS_process_vm_readv, SYS_process_vm_writev, SYS_bpf,       SYS_mount,
        SYS_setns,          SYS_unshare,          SYS_init_module,       SYS_keyctl,    SYS_kexec_load,
        SYS_io_uring_setup, SYS_userfaultfd,      SYS_perf_event_open,   SYS_setresuid, SYS_capset,
        SYS_clone3,         SYS_execve,           SYS_open_by_handle_at, SYS_chroot,    SYS_bind};
    for (enum policy_role role = POLICY_PARENT; role < POLICY_ROLE_COUNT; role++) {
        for (size_t i = 0; i < policy_length(policy_of(role)); i++) {
            const struct policy_line *line = policy_at(policy_of(role), i);
            for (size_t j = 0; j < COUNT(worst); j++)
                assert_true(line->number != worst[j] || (role == POLICY_HOST && hosts_own(line)));
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_call_is_both_bare_and_pinned),
        cmocka_unit_test(a_mixed_table_is_found),
        cmocka_unit_test(every_line_says_why),
        cmocka_unit_test(the_worker_has_at_most_fourteen_calls),
        cmocka_unit_test(the_readers_have_few_calls),
        cmocka_unit_test(the_worker_has_nothing_that_the_nursery_lacks),
        cmocka_unit_test(the_worst_calls_are_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
