/*
 * Log lines as their readers get them: heads, escapes, bounds, and what happens when the reader is slow or
 * gone.
 */
#include "tests/unit/unit.h"

#include "ipc/settings.h"
#include "policy/descriptors.h"
#include "unpriv/log.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STAMP_3164 "[A-Z][a-z][a-z] [ 1-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9]"
#define STAMP_ISO  "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]"

static struct settings settings;
static int reader = -1;
static int standard_output = -1;
static char line[4096];
static int broken_error;
static unsigned broken_count;

/* The log's descriptor is that of the standard output, which is put back in end(). */
static int begin(void **state)
{
    int ends[2];

    (void)state;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    standard_output = dup(LOG_FD);
    if (standard_output < 0 || dup2(ends[0], LOG_FD) != LOG_FD || close(ends[0]) != 0)
        return -1;
    reader = ends[1];
    settings_default(&settings);
    strcpy(settings.log_tag, "metaward-" UUID);
    settings.log_target = LOG_TO_SYSLOG;
    settings.log_level = LOG_LEVEL_REQUESTS;
    log_begin(&settings);
    log_on_broken(NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (dup2(standard_output, LOG_FD) != LOG_FD || close(standard_output) != 0)
        return -1;
    return reader < 0 || close(reader) == 0 ? 0 : -1;
}

/* The next line, or an empty one where none is there. */
static const char *next(void)
{
    ssize_t length = recv(reader, line, sizeof(line) - 1, MSG_DONTWAIT);

    line[length > 0 ? length : 0] = '\0';
    return line;
}

static bool matches(const char *text, const char *pattern)
{
    regex_t regex;
    bool found;

    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

static void syslog_line(void **state)
{
    (void)state;
    log_line(LOG_SEVERITY_INFO, "request");
    log_word("guest", "10.0.0.5");
    log_text("target", "/latest/meta-data", 17);
    log_number("status", 200);
    log_send();
    assert_true(matches(next(), "^<30>" STAMP_3164 " metaward-" UUID ": event=request guest=10\\.0\\.0\\.5 "
                                "target=\"/latest/meta-data\" status=200$"));
    assert_string_equal(next(), "");
}

static void facility_and_tag(void **state)
{
    (void)state;
    settings.log_facility = 16;
    memset(settings.log_tag, 't', sizeof(settings.log_tag) - 1);
    log_begin(&settings);
    log_line(LOG_SEVERITY_INFO, "event");
    log_send();
    assert_true(matches(next(), "^<134>" STAMP_3164 " t{79}: event=event$"));
    log_network_line(LOG_SEVERITY_INFO, "event", "one-network");
    log_send();
    assert_true(matches(next(), "^<134>" STAMP_3164 " one-network: event=event$"));
}

static void iso_line(void **state)
{
    (void)state;
    settings.log_target = LOG_TO_STDERR;
    settings.utc_offset = -(9 * 3600 + 30 * 60);
    log_begin(&settings);
    log_line(LOG_SEVERITY_WARNING, "agent-absent");
    log_send();
    assert_true(matches(next(), "^" STAMP_ISO "-09:30 metaward-" UUID ": event=agent-absent$"));
}

/* The day and the time are those that the C library finds, at offsets that go over midnight both ways. */
static void local_time(void **state)
{
    static const int32_t offsets[] = {-50400, -3600, 0, 19800, 50400};

    (void)state;
    for (size_t i = 0; i < COUNT(offsets); i++) {
        char before[32], after[32];
        time_t now = time(NULL) + offsets[i], later;
        struct tm parts;

        settings.log_target = LOG_TO_STDERR;
        settings.utc_offset = offsets[i];
        log_begin(&settings);
        strftime(before, sizeof(before), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &parts));
        log_line(LOG_SEVERITY_WARNING, "event");
        log_send();
        later = time(NULL) + offsets[i];
        strftime(after, sizeof(after), "%Y-%m-%dT%H:%M:%S", gmtime_r(&later, &parts));
        next();
        /* The coarse clock may be a few milliseconds behind. */
        now--;
        if (memcmp(line, before, 19) != 0 && memcmp(line, after, 19) != 0) {
            strftime(before, sizeof(before), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &parts));
            assert_memory_equal(line, before, 19);
        }
    }
}

static void hostile_bytes(void **state)
{
    (void)state;
    log_line(LOG_SEVERITY_NOTICE, "refused");
    log_text("target", "/a\"b\\c\r\nevent=request\0\x7f\xff d", 26);
    log_text("method", "", 0);
    log_send();
    assert_true(matches(next(), "^<29>"));
    assert_non_null(
        strstr(line, ": event=refused target=\"/a\\x22b\\x5cc\\x0d\\x0aevent=request\\x00\\x7f\\xff d\" "
                     "method=-"));
    assert_null(strchr(line, '\n'));
}

static void long_texts_are_cut(void **state)
{
    char text[3000];

    (void)state;
    for (int filler = 0; filler < 2; filler++) {
        size_t start;

        memset(text, filler ? 'x' : '\n', sizeof(text));
        log_line(LOG_SEVERITY_NOTICE, "refused");
        start = strlen(": event=refused target=\"");
        log_text("target", text, sizeof(text));
        log_number("status", 414);
        log_send();
        assert_non_null(strstr(next(), "...\" status=414"));
        assert_true(strlen(strstr(line, ": event=")) - start <= LOG_TEXT_MAX + strlen("...\" status=414"));
        assert_true(strlen(strstr(line, ": event=")) - start >= LOG_TEXT_MAX - 4);
    }
    memset(text, 'x', sizeof(text));
    log_line(LOG_SEVERITY_NOTICE, "refused");
    for (int i = 0; i < 5; i++)
        log_text("target", text, sizeof(text));
    log_send();
    assert_int_equal(strlen(next()), 2048); /* the line as a whole is bounded too */
}

static void levels(void **state)
{
    (void)state;
    assert_true(log_wants(LOG_SEVERITY_INFO));
    settings.log_level = LOG_LEVEL_EVENTS;
    log_begin(&settings);
    assert_false(log_wants(LOG_SEVERITY_INFO));
    assert_true(log_wants(LOG_SEVERITY_NOTICE));
    settings.log_target = LOG_TO_NONE;
    log_begin(&settings);
    assert_false(log_wants(LOG_SEVERITY_WARNING));
    log_line(LOG_SEVERITY_WARNING, "event");
    log_send();
    assert_string_equal(next(), "");
}

static void slow_reader(void **state)
{
    unsigned sent = 0, got = 0;
    char text[LOG_TEXT_MAX];

    (void)state;
    memset(text, 'x', sizeof(text));
    for (; sent < 3000; sent++) {
        log_line(LOG_SEVERITY_NOTICE, "refused");
        log_text("target", text, sizeof(text));
        log_send();
    }
    while (*next()) {
        assert_null(strstr(line, "log-lost"));
        got++;
    }
    assert_true(got > 0 && got < sent);
    log_line(LOG_SEVERITY_NOTICE, "refused");
    log_send();
    assert_true(matches(next(), "^<28>" STAMP_3164 " metaward-" UUID ": event=log-lost count=[0-9]+$"));
    assert_int_equal(strtoul(strstr(line, "count=") + 6, NULL, 10), sent - got);
    assert_non_null(strstr(next(), "event=refused"));
    assert_string_equal(next(), "");
}

static void count_broken(int error)
{
    broken_error = error;
    broken_count++;
}

static void reader_gone(void **state)
{
    (void)state;
    broken_count = 0;
    log_on_broken(count_broken);
    assert_int_equal(close(reader), 0);
    reader = -1;
    for (int i = 0; i < 100; i++) {
        log_line(LOG_SEVERITY_NOTICE, "refused");
        log_send();
    }
    assert_true(broken_count >= 1 && broken_count <= 2); /* once a second */
    assert_true(broken_error == ECONNREFUSED || broken_error == ECONNRESET || broken_error == ENOTCONN);
}

/* The old socket is closed: only the new one gets lines. */
static void another_socket(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
    log_replace(ends[0]);
    assert_int_equal(fcntl(LOG_FD, F_GETFD), -1);
    log_line(LOG_SEVERITY_INFO, "event");
    log_send();
    assert_string_equal(next(), "");
    assert_int_equal(close(reader), 0);
    reader = ends[1];
    assert_true(matches(next(), "event=event$"));
    assert_int_equal(close(ends[0]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(syslog_line, begin, end),
        cmocka_unit_test_setup_teardown(facility_and_tag, begin, end),
        cmocka_unit_test_setup_teardown(iso_line, begin, end),
        cmocka_unit_test_setup_teardown(local_time, begin, end),
        cmocka_unit_test_setup_teardown(hostile_bytes, begin, end),
        cmocka_unit_test_setup_teardown(long_texts_are_cut, begin, end),
        cmocka_unit_test_setup_teardown(levels, begin, end),
        cmocka_unit_test_setup_teardown(slow_reader, begin, end),
        cmocka_unit_test_setup_teardown(reader_gone, begin, end),
        cmocka_unit_test_setup_teardown(another_socket, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
