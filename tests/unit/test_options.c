/*
 * The command line: what is taken, and one line on standard error with status for everything else.
 */
#include "tests/unit/unit.h"

#include "ipc/options.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char out_text[16384], err_text[1024];
static struct config config;
static struct options_host host;

/* What was written to a temporary file that stood in for a descriptor; puts the descriptor back. */
static void give_back(int fd, int kept, FILE *file, char *text, size_t size)
{
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
    assert_int_equal(dup2(kept, fd), fd);
    close(kept);
}

static enum options_result run(const char *const *arguments)
{
    char *argv[16] = {(char *)(uintptr_t) "metawardd"}, *before[16];
    char copies[16][128];
    int argc = 1;

    for (; arguments[argc - 1] != NULL; argc++)
        argv[argc] = strcpy(copies[argc], arguments[argc - 1]);
    memcpy(before, argv, sizeof(argv));
    fflush(stdout);
    int kept_out = dup(1), kept_err = dup(2);
    FILE *out = tmpfile(), *err = tmpfile();
    assert_true(out != NULL && err != NULL && dup2(fileno(out), 1) == 1 && dup2(fileno(err), 2) == 2);
    optind = 0; /* glibc: begin anew, which the first call does; it leaves 1 there, as a program finds it */
    assert_int_equal(getopt(1, argv, "+"), -1);
    enum options_result result = options_read(argc, argv, &config, &host);
    fflush(stdout);
    give_back(1, kept_out, out, out_text, sizeof(out_text));
    give_back(2, kept_err, err, err_text, sizeof(err_text));
    assert_memory_equal(before, argv, sizeof(argv)); /* neither moved nor changed: /proc shows it as it was */
    for (int i = 1; i < argc; i++)
        assert_string_equal(argv[i], arguments[i - 1]);
    return result;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void expect_bad(enum options_result result, const char *words)
{
    assert_int_equal(result, OPTIONS_BAD);
    assert_string_equal(out_text, "");
    assert_memory_equal(err_text, "metawardd: ", 11);
    size_t length = strlen(err_text);
    assert_ptr_equal(strchr(err_text, '\n'), err_text + length - 1); /* one line */
    assert_non_null(strstr(err_text, ": see metawardd --help\n"));
    if (strstr(err_text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err_text, words);
}

static void good_lines(void **state)
{
    (void)state;
    assert_int_equal(RUN("--network-id", UUID), OPTIONS_RUN);
    assert_string_equal(config.network.uuid, UUID);
    assert_int_equal(RUN("--router_id=" UUID, "--listen=[::]:9697", "--daemonize", "--max-in-flight=4"),
                     OPTIONS_RUN);
    assert_int_equal(config.network.identity, IDENTITY_NEUTRON_ROUTER);
    assert_int_equal(config.daemonize, 1);
    assert_int_equal(config.worker.max_in_flight_per_source, 4);
    assert_int_equal(RUN("--network_id", UUID, "--metadata_port=80", "--metadata_proxy_socket=/a/b",
                         "--pid_file=/x", "--metadata_proxy_user=a", "--metadata_proxy_group=b",
                         "--state_path=/s", "--"),
                     OPTIONS_RUN);
    assert_string_equal(config.user, "a");
    assert_string_equal(config.group, "b");
    assert_string_equal(config.backend, "/a/b");
    assert_string_equal(err_text, "");
    assert_string_equal(out_text, "");
}

static void bad_lines(void **state)
{
    (void)state;
    expect_bad(run((const char *const[]){NULL}), "--network-id: exactly one");
    expect_bad(RUN("--network-id", UUID, "--router-id", UUID), "--network-id: exactly one");
    expect_bad(RUN("--network-id"), "'--network-id': needs a value");
    expect_bad(RUN("--network-i", UUID), "'--network-i': no such option"); /* never abbreviated */
    expect_bad(RUN("--network-id", UUID, "--daemon"), "'--daemon': no such option");
    expect_bad(RUN("--list=1.2.3.4:80"), "'--list=1.2.3.4:80': no such option");
    expect_bad(RUN("--hel"), "'--hel': no such option");
    expect_bad(RUN("--daemonize=1"), "'--daemonize=1': takes no value");
    expect_bad(RUN("--version=1"), "'--version=1'");
    expect_bad(RUN("--nodaemonize"), "no such option");
    expect_bad(RUN("-h"), "'-h': no such option");
    expect_bad(RUN("-"), "'-': not an option");
    expect_bad(RUN(""), "'': not an option");
    expect_bad(RUN("start"), "'start': not an option");
    expect_bad(RUN("--network-id", UUID, "start"), "'start': not an option");
    expect_bad(RUN("--", "--network-id", UUID), "'--network-id': not an option");
    expect_bad(RUN("--listen", "a\nb"), "--listen: not ADDR:PORT[%interface]: 'a\\x0Ab'");
    expect_bad(RUN("--\x1B[31m\n"), "'--\\x1B[31m\\x0A': no such option");
    expect_bad(RUN("--print-policy=xml"), "'xml'");
    expect_bad(RUN("--user=a", "--user=a"), "--user: given twice: 'a'");
    expect_bad(RUN("--max-body=9999", "--network-id=" UUID), "--max-body: ");
}

static void ending_options(void **state)
{
    (void)state;
    assert_int_equal(RUN("--version", "--nonsense"), OPTIONS_DONE);
    assert_string_equal(out_text, "metawardd " METAWARD_VERSION "\n");
    assert_int_equal(RUN("--print-policy"), OPTIONS_POLICY);
    assert_int_equal(RUN("--print_policy"), OPTIONS_POLICY);
    assert_int_equal(RUN("--print-policy=json"), OPTIONS_POLICY_JSON);
    assert_int_equal(RUN("--network-id", UUID, "--print_policy=json"), OPTIONS_POLICY_JSON);
    assert_string_equal(out_text, "");
    assert_string_equal(err_text, "");
}

static void host_lines(void **state)
{
    (void)state;
    assert_int_equal(RUN("--config", "/etc/a.conf", "--check"), OPTIONS_HOST);
    assert_true(host.check);
    assert_null(host.launcher);
    assert_int_equal(RUN("--check", "--config=/etc/a.conf"), OPTIONS_HOST);
    assert_int_equal(RUN("--launcher=/run/b", "--config=/etc/a.conf"), OPTIONS_HOST);
    assert_string_equal(host.launcher, "/run/b");
    assert_string_equal(host.file, "/etc/a.conf");
    expect_bad(RUN("--launcher", "/b"), "'--launcher': needs --config");
    expect_bad(RUN("--launcher", "b", "--config", "/a"), "'--launcher': not the absolute path of a file");
    expect_bad(RUN("--launcher=/b", "--launcher=/b"), "'--launcher=/b': given twice");
    expect_bad(RUN("--check"), "'--check': needs --config");
    expect_bad(RUN("--config"), "'--config': needs a value");
    expect_bad(RUN("--config", "a.conf", "--check"), "'--config': not the absolute path of a file");
    expect_bad(RUN("--config", "/a", "--config", "/a"), "'--config': given twice");
    expect_bad(RUN("--check", "--check"), "'--check': given twice");
    expect_bad(RUN("--conf", "/a"), "'--conf': no such option");
    expect_bad(RUN("--config", "/a", "--user", "b"), "'--config': stands alone or with --check");
    expect_bad(RUN("--user", "b", "--check"), "'--check': needs --config");
}

/* Every key that is not hidden is in the help, and no line is too wide. */
static void help(void **state)
{
    (void)state;
    assert_int_equal(RUN("--help"), OPTIONS_DONE);
    assert_string_equal(err_text, "");
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        char name[CONFIG_KEY_SIZE], shown[CONFIG_KEY_SIZE + 8];
        config_key_name(key, '-', name);
        snprintf(shown, sizeof(shown), "\n  --%s ", name);
        assert_int_equal(strstr(out_text, shown) == NULL, key->hidden);
    }
    for (const char *line = out_text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") < 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_lines),     cmocka_unit_test(bad_lines), cmocka_unit_test(host_lines),
        cmocka_unit_test(ending_options), cmocka_unit_test(help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
