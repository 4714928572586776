/*
 * The drop-in's command line: every form that the agents and the container wrappers use, and what is refused.
 */
#include "ipc/haproxy_options.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <string.h>

#define WORDS_MAX 24

static struct haproxy_options options;
static char error[CONFIG_ERROR_SIZE];

/* Split at blanks; "haproxy" goes before. */
static enum haproxy_result read_line(const char *line)
{
    static char text[512];
    char *words[WORDS_MAX] = {"haproxy"}, *rest = NULL;
    int count = 1;
    memset(error, 0, sizeof(error));
    assert_true(strlen(line) < sizeof(text));
    memcpy(text, line, strlen(line) + 1);
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    return haproxy_options_read(count, words, &options, error);
}

static void the_forms_in_use_are_taken(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum haproxy_ground ground;
    } forms[] = {
        {"-f /a/b.conf", GROUND_AS_CONFIGURED},
        {"-f /a/b.conf -p /run/x.pid", GROUND_AS_CONFIGURED},
        {"-Ws -f /a/b.conf", GROUND_FRONT},
        {"-Ds -f /a/b.conf", GROUND_FRONT},
        {"-db -f /a/b.conf", GROUND_FRONT},
        {"-W -f /a/b.conf", GROUND_FRONT},
        {"-W -D -f /a/b.conf", GROUND_BACK},
        {"-D -W -f /a/b.conf", GROUND_BACK},
        {"-D -f /a/b.conf", GROUND_BACK},
        {"-D -db -f /a/b.conf", GROUND_FRONT},
        {"-V -q -f /a/b.conf --", GROUND_AS_CONFIGURED},
    };
    for (size_t i = 0; i < COUNT(forms); i++) {
        if (read_line(forms[i].line) != HAPROXY_RUN)
            fail_msg("%s: %s", forms[i].line, error);
        assert_string_equal(options.file, "/a/b.conf");
        assert_int_equal(options.ground, forms[i].ground);
    }
    read_line("-f /a/b.conf -p /run/x.pid -c -q");
    assert_string_equal(options.pid_file, "/run/x.pid");
    assert_true(options.check && options.quiet);
}

static void versions_are_asked_for(void **state)
{
    (void)state;
    assert_int_equal(read_line("-v"), HAPROXY_VERSION);
    assert_int_equal(read_line("-vv"), HAPROXY_VERSION);
    assert_int_equal(read_line("-f /a -v"), HAPROXY_VERSION);
}

static void old_processes_are_counted_up_to_the_next_option(void **state)
{
    (void)state;
    assert_int_equal(read_line("-sf 12 345 -f /a"), HAPROXY_RUN);
    assert_int_equal(options.old_count, 2);
    assert_int_equal(options.old[1], 345);
    assert_int_equal(options.old_signal, SIGUSR1);
    assert_int_equal(read_line("-f /a -st 99"), HAPROXY_RUN);
    assert_int_equal(options.old_signal, SIGTERM);
    assert_int_equal(read_line("-f /a -sf"), HAPROXY_RUN);
    assert_int_equal(options.old_count, 0);
}

static void a_configuration_may_be_named_from_here(void **state)
{
    (void)state;
    assert_int_equal(read_line("-f a.conf"), HAPROXY_RUN);
    assert_string_equal(options.file, "a.conf");
    assert_int_equal(read_line("-f here/a.conf -p /a.pid"), HAPROXY_RUN);
    assert_string_equal(options.file, "here/a.conf");
}

static void everything_else_is_refused_with_the_word(void **state)
{
    (void)state;
    static const char *const lines[][2] = {
        {"", "-f"},
        {"-f", "-f"},
        {"-f ../a.conf", "../a.conf"},
        {"-f ./a.conf", "./a.conf"},
        {"-f -D", "-f"},
        {"-f /a -p -D", "-p"},
        {"-f /a -f /b", "-f"},
        {"-x", "-x"},
        {"-fD /a", "-fD"},
        {"/a", "/a"},
        {"-f /a -p", "-p"},
        {"-f /a -p x", "'x'"},
        {"-f /a -sf 1", "'1'"},
        {"-f /a -sf 0x10", "0x10"},
        {"-f /a -st 12x", "12x"},
        {"-f /a/../b", ".."},
        {"-f /a -D -x", "-x"},
        {"-f /a -sf 99999999999", "999"},
        {"-f /a -sf 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2", "too many"},
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        if (read_line(lines[i][0]) != HAPROXY_BAD)
            fail_msg("taken: %s", lines[i][0]);
        if (strstr(error, lines[i][1]) == NULL)
            fail_msg("%s: %s", lines[i][0], error);
    }
}

static void bytes_that_a_terminal_obeys_are_escaped(void **state)
{
    (void)state;
    char *words[] = {"haproxy", "-f", "/a\n\033[31m"};
    assert_int_equal(haproxy_options_read(3, words, &options, error), HAPROXY_BAD);
    assert_null(strchr(error, '\n'));
    assert_null(strchr(error, '\033'));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_forms_in_use_are_taken),
        cmocka_unit_test(versions_are_asked_for),
        cmocka_unit_test(old_processes_are_counted_up_to_the_next_option),
        cmocka_unit_test(a_configuration_may_be_named_from_here),
        cmocka_unit_test(everything_else_is_refused_with_the_word),
        cmocka_unit_test(bytes_that_a_terminal_obeys_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
