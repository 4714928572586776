/*
 * The reader of the host daemon's files: a table of bad files with what is said of each, what good ones lead
 * to, and answers that no file leads to.
 */
#include "unpriv/reader/host_keys.h"

#include "ipc/text.h"
#include "tests/unit/guard.h"
#include "tests/unit/unit.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct host_request request;
static struct host_reading reading;

/* The file's text ends at a page that can't be read. */
static void read_bytes(enum host_file kind, const char *text, size_t length)
{
    request.version = HOST_READING_VERSION;
    request.number++;
    request.kind = (uint8_t)kind;
    memset(&request.defaults, 0, sizeof(request.defaults));
    if (kind == HOST_FILE_NETWORK) {
        request.defaults.listener_count = 1;
        assert_null(address_parse("169.254.169.254:80", &request.defaults.listeners[0]));
        request.defaults.rate[0] = (struct rate_limit){.period_s = 60, .limit = 100};
        request.defaults.rate_shadow = 1;
        request.defaults.ovn = 1;
    }
    host_file_read(guard_at_end(text, length), length, &request, &reading);
    assert_true(host_reading_valid(&reading, &request));
}

static void read_text(enum host_file kind, const char *text)
{
    read_bytes(kind, text, strlen(text));
}

struct mistake {
    const char *text;
    uint32_t line;
    const char *word; /* as the reading has it; empty: none */
    const char *reason;
};

#define LONE  "neither KEY = VALUE nor [SECTION]"
#define RANGE "not a whole number in its range"
#define PATH  "not an absolute path, or with '.', '..', '//' or blanks in it, or too long"
#define NAME  "not a name of letters, digits, '.', '_' and '-', or too long"
#define M     "[metaward]\n"

/* What is wrong with lines. */
static const struct mistake lines[] = {
    {M "user = metaward", 2, "", "the file ends within a line"},
    {"[metaward]", 1, "", "the file ends within a line"},
    {"user = metaward\n", 1, "'user = metaward'", "stands before the first section"},
    {M "user\n", 2, "'user'", LONE},
    {M "user: metaward\n", 2, "'user: metaward'", LONE},
    {M "= metaward\n", 2, "'= metaward'", LONE},
    {M "user = metaward\n  group = metaward\n", 3, "'  group = metaward'",
     "a line starts without blanks; a value has one line"},
    {M "methods = GET,\n\tPOST\n", 2, "'GET,'", "not a list of methods with commas between them"},
    {M "user = metaward\n\tgroup = metaward\n", 3, "'\\x09group = metaward'",
     "a line starts without blanks; a value has one line"},
    {M "user = metaward\r\n", 2, "'\\x0D'", "a control byte; lines end with LF alone"},
    {M "# a\x1b[2J\n", 2, "'\\x1B'", "a control byte; lines end with LF alone"},
    {"\xEF\xBB\xBF[metaward]\n", 1, "'\\xEF\\xBB\\xBF[metaward]'", "not printable ASCII"},
    {M "user = m\xC3\xA4rz\n", 2, "'\\xC3\\xA4rz'", "not printable ASCII"},
    {M "user = metaward # me\n", 2, "'# me'", "a comment needs a line of its own"},
    {M "user = metaward\t; me\n", 2, "'; me'", "a comment needs a line of its own"},
    {M "user = metaward;me\n", 2, "'metaward;me'", NAME},
    {M "user = metaward group\n", 2, "'metaward group'", NAME},
    {M "user = \"metaward\"\n", 2, "'\"metaward\"'", NAME},
    {"[metaward\nuser = metaward\n", 1, "'[metaward'", "a section's name ends with ']'"},
    {"[metaward] user = metaward\n", 1, "'user = metaward'", "nothing stands behind a section's ']'"},
    {"[metaward] # global\n", 1, "'# global'", "nothing stands behind a section's ']'"},
    {"[ metaward ]\n", 1, "'[ metaward ]'", "no such section"},
    {"[]\n", 1, "'[]'", "no such section"},
    {"[Metaward]\n", 1, "'[Metaward]'", "no such section"},
    {"[network]\n", 1, "'[network]'", "no such section"},
    {M "[log]\n[metaward]\n", 3, "'[metaward]'", "given twice"},
};

/* What is wrong with the global file's keys. */
static const struct mistake keys[] = {
    {M "nobody = metaward\n", 2, "'nobody'", "no such key in this section"},
    {M "User = metaward\n", 2, "'User'", "no such key in this section"},
    {M "metadata-proxy-socket = /a/b\n", 2, "'metadata-proxy-socket'", "no such key in this section"},
    {M "max_body = 100\n", 2, "'max_body'", "no such key in this section"},
    {M "network_id = " UUID "\n", 2, "'network_id'", "no such key in this section"},
    {M "metadata_port = 80\n", 2, "'metadata_port'", "no such key in this section"},
    {M "user = a\nuser = a\n", 3, "'user'", "given twice"},
    {M "user =\n", 2, "'user'", "there is no value"},
    {M "metadata_proxy_socket = metadata_proxy\n", 2, "'metadata_proxy'", PATH},
    {M "metadata_address = 127.0.0.1\n", 2, "'127.0.0.1'", "not HOST:PORT, with an IPv6 address in brackets"},
    {M "metadata_proxy_socket = /a/b\nmetadata_address = 127.0.0.1:1\n", 0, "",
     "metadata-address: not together with metadata-proxy-socket"},
    {M "isolation = both\n", 2, "'both'", "not shared or network"},
    {M "workers = 0\n", 2, "'0'", RANGE},
    {M "workers = 17\n", 2, "'17'", RANGE},
    {M "workers = 02\n", 2, "'02'", RANGE},
    {M "isolation = network\nworkers = 2\n", 0, "", "workers: has no meaning with isolation = network"},
    {M "control_socket = run/control\n", 2, "'run/control'", PATH},
    {M "control_group = :\n", 2, "':'", NAME},
    {M "networks = networks.d\n", 2, "'networks.d'", PATH},
    {"[limits]\nmax_networks = 16385\n", 2, "'16385'", RANGE},
    {"[limits]\nmax_connections = 0\n", 2, "'0'", RANGE},
    {"[limits]\nmax_body = 4000\n", 0, "", "max-body: max-upstream-request must be at least 256 more"},
    {"[timeouts]\ntimeout_client = 5\ntimeout_client = 5\n", 3, "'timeout_client'", "given twice"},
    {"[timeouts]\ntimeout_client = 5h\n", 2, "'5h'", "not a time in its range, as 30, 30s, 500ms or 2m"},
    {"[timeouts]\ntimeout = 5\n", 2, "'timeout'", "no such key in this section"},
    {"[log]\nlog = file\n", 2, "'file'", "not one of the words that --help lists"},
    {"[log]\nlog_tag = a:b\n", 2, "'a:b'", "not 1 to 79 printable characters without blanks, ':' and '['"},
    {"[network defaults]\nnetns = a\n", 2, "'netns'", "no such key in this section"},
    {"[network defaults]\nrate_limit = none\n", 2, "'none'",
     "not a number of requests and a time, as 100/60s"},
    {"[network defaults]\nrate_limit_shadow = 1\n", 2, "'1'", "not yes or no"},
    {"[network defaults]\nlisten = [::]:1\nlisten = [::]:1\n", 3, "'[::]:1'", "given twice"},
    {"[network defaults]\nlisten = [::]:1\nlisten = [::]:2\nlisten = [::]:3\nlisten = [::]:4\nlisten = "
     "[::]:5\n",
     6, "'[::]:5'", "more than 4 listeners"},
};

#define N     "[network]\nnetwork_id = " UUID "\nnetns = a\n"
#define OTHER "0e5c9d52-6a77-4f0b-9c33-fedcba987654"

/* What is wrong with a network's file. */
static const struct mistake networks[] = {
    {"", 0, "", "exactly one of network_id and router_id is needed"},
    {"[network]\n", 0, "", "exactly one of network_id and router_id is needed"},
    {"[network]\nnetwork_id = " UUID "\n", 0, "", "there is no netns"},
    {"[network]\nnetwork_id = 1\n", 2, "'1'", "not a UUID"},
    {"[metaward]\n", 1, "'[metaward]'", "no such section"},
    {N "router_id = " OTHER "\n", 0, "", "exactly one of network_id and router_id is needed"},
    {N "network_id = " UUID "\n", 4, "'network_id'", "given twice"},
    {N "netns = b\n", 4, "'netns'", "given twice"},
    {N "user = nobody\n", 4, "'user'", "no such key in this section"},
    {N "max_body = 0\n", 4, "'max_body'", "no such key in this section"},
    {"[network]\nnetns = a/b\n", 2, "'a/b'", NAME},
    {"[network]\nnetns = /run/../a\n", 2, "'/run/../a'", PATH},
    {N "listen = 169.254.169.254\n", 4, "'169.254.169.254'", "not ADDR:PORT[%interface]"},
    {N "rate_limit = 1/1s\nrate_limit = none\n", 5, "'none'", "'none' stands alone"},
    {N "rate_limit = none\nrate_limit = 1/1s\n", 5, "'1/1s'", "'none' stands alone"},
    {N "rate_limit = none\nrate_limit_shadow = yes\n", 0, "", "rate_limit_shadow: needs a rate_limit"},
    {N "identity = nova\n", 4, "'nova'", "not one of the words that --help lists"},
};

static void expect(enum host_file kind, const struct mistake *mistake)
{
    read_text(kind, mistake->text);
    if (reading.ok || reading.line != mistake->line || strcmp(reading.word, mistake->word) != 0 ||
        strcmp(reading.reason, mistake->reason) != 0)
        fail_msg("%s-> %u: %s: %s\n", mistake->text, reading.line, reading.word, reading.reason);
}

static void mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++)
        expect(HOST_FILE_GLOBAL, &lines[i]);
    for (size_t i = 0; i < COUNT(keys); i++)
        expect(HOST_FILE_GLOBAL, &keys[i]);
    for (size_t i = 0; i < COUNT(networks); i++)
        expect(HOST_FILE_NETWORK, &networks[i]);
}

static void long_lines(void **state)
{
    char text[1200] = "[metaward]\n";
    const size_t start = strlen(text);

    (void)state;
    memset(text + start, '#', 1022);
    strcpy(text + start + 1022, "\nuser = a\n");
    read_text(HOST_FILE_GLOBAL, text);
    assert_int_equal(reading.ok, 1);
    assert_string_equal(reading.body.host.common.user, "a");
    strcpy(text + start + 1022, "#\nuser = a\n");
    read_text(HOST_FILE_GLOBAL, text);
    assert_int_equal(reading.line, 2);
    assert_string_equal(reading.reason, "a line of more than 1022 bytes");
}

static void long_files(void **state)
{
    static char text[HOST_FILE_MAX + 1];

    (void)state;
    memset(text, '\n', sizeof(text));
    read_bytes(HOST_FILE_GLOBAL, text, HOST_FILE_MAX);
    assert_int_equal(reading.ok, 1);
    read_bytes(HOST_FILE_GLOBAL, text, HOST_FILE_MAX + 1);
    assert_string_equal(reading.reason, "the file is larger than 64 KiB");
    memset(text, 0, sizeof(text));
    read_bytes(HOST_FILE_GLOBAL, text, 4096);
    assert_string_equal(reading.reason, "the file ends within a line");
    text[100] = '\n';
    read_bytes(HOST_FILE_GLOBAL, text, 4096);
    assert_string_equal(reading.reason, "a control byte; lines end with LF alone");
}

static void a_global_file(void **state)
{
    static const char text[] =
        "# m\xC3\xA4rz\n; also a comment\n   # and this\n\n \t \n"
        "[metaward]\nuser=a\ngroup = b  \nmetadata_proxy_socket\t=\t/run/agent/socket\nworkers = 4\n"
        "control_socket = /run/control\ncontrol_group = adm\nnetworks = /etc/networks\nmethods = GET\n"
        "forward_headers = accept,x-strange=1\n";
    static const char good[] =
        "[metaward] \nuser=a\ngroup = b  \nmetadata_proxy_socket\t=\t/run/agent/socket\nworkers = 4\n"
        "control_socket = /run/control\ncontrol_group = adm\nnetworks = /etc/networks\nmethods = GET\n"
        "[limits]\nmax_networks = 100\nmax_body = 0\n[timeouts]\ntimeout_server = 2m\n"
        "[log]\nlog = stderr\nlog_level = events\nlog_facility = local3\nlog_tag = md\n"
        "[network defaults]\nidentity = ovn\nlisten = [::]:9697\nrate_limit = 100/60s\n"
        "rate_limit = 10/1s\nrate_limit_shadow = yes\n";
    const struct host_config *host = &reading.body.host;

    (void)state;
    read_text(HOST_FILE_GLOBAL, text);
    assert_int_equal(reading.line, 15);
    read_text(HOST_FILE_GLOBAL, good);
    assert_string_equal(reading.reason, "");
    assert_string_equal(host->common.user, "a");
    assert_string_equal(host->common.group, "b");
    assert_string_equal(host->common.backend, "/run/agent/socket");
    assert_string_equal(host->common.worker.backend, "/socket");
    assert_string_equal(host->control_socket, "/run/control");
    assert_string_equal(host->control_group, "adm");
    assert_string_equal(host->networks_directory, "/etc/networks");
    assert_int_equal(host->workers, 4);
    assert_int_equal(host->max_networks, 100);
    assert_int_equal(host->common.worker.max_networks, 100);
    assert_int_equal(host->common.worker.max_body, 0);
    assert_int_equal(host->common.worker.timeout_server, 120000);
    assert_int_equal(host->common.worker.log_target, LOG_TO_STDERR);
    assert_int_equal(host->common.worker.log_level, LOG_LEVEL_EVENTS);
    assert_int_equal(host->common.worker.log_facility, 19);
    assert_string_equal(host->common.worker.log_tag, "md");
    assert_int_equal(host->defaults.ovn, 1);
    assert_int_equal(host->defaults.rate_shadow, 1);
    assert_int_equal(host->defaults.rate[1].limit, 10);
    assert_int_equal(host->defaults.listeners[0].port, 9697);
}

static void network_files(void **state)
{
    const struct network_spec *spec = &reading.body.network;

    (void)state;
    read_text(HOST_FILE_NETWORK, N);
    assert_int_equal(reading.ok, 1);
    assert_string_equal(spec->network.uuid, UUID);
    assert_string_equal(spec->netns, "a");
    assert_int_equal(spec->network.identity, IDENTITY_OVN_NETWORK);
    assert_int_equal(spec->network.rate[0].limit, 100);
    assert_int_equal(spec->network.rate_shadow, 1);
    assert_int_equal(spec->listeners[0].port, 80);
    read_text(HOST_FILE_NETWORK, N "identity = neutron\nrate_limit = none\nlisten = [::]:1\nlog_tag = t\n");
    assert_int_equal(reading.ok, 1);
    assert_int_equal(spec->network.identity, IDENTITY_NEUTRON_NETWORK);
    assert_int_equal(spec->network.rate[0].limit, 0);
    assert_int_equal(spec->network.rate_shadow, 0);
    assert_int_equal(spec->listener_count, 1);
    assert_int_equal(spec->listeners[0].port, 1);
    assert_string_equal(spec->network.log_tag, "t");
    read_text(HOST_FILE_NETWORK, "[network]\nrouter_id = " OTHER "\nnetns = /run/netns/b\n"
                                 "rate_limit = 5/10s\nrate_limit_shadow = no\n");
    assert_int_equal(reading.ok, 1);
    assert_int_equal(spec->network.identity, IDENTITY_OVN_ROUTER);
    assert_int_equal(spec->network.rate[0].limit, 5);
    assert_int_equal(spec->network.rate_shadow, 0);
}

/* A file that is cut anywhere is either whole in itself or refused; never is half a value taken. */
static void cut_files(void **state)
{
    static const char text[] = N "listen = 169.254.169.254:80\nrate_limit = 100/60s\n";

    (void)state;
    for (size_t length = 0; length < sizeof(text); length++) {
        read_bytes(HOST_FILE_NETWORK, text, length);
        if (length > 0 && text[length - 1] != '\n')
            assert_string_equal(reading.reason, "the file ends within a line");
    }
}

/* The answers of a reader that somebody took over. */
static void changed_answers(void **state)
{
    struct host_reading good;
    unsigned taken = 0;

    (void)state;
    for (unsigned kind = HOST_FILE_GLOBAL; kind < HOST_FILE_COUNT; kind++) {
        read_text((enum host_file)kind, kind == HOST_FILE_GLOBAL ? M : N);
        good = reading;
        assert_int_equal(good.ok, 1);
        for (size_t i = 0; i < sizeof(reading) * 8; i++) {
            reading = good;
            ((unsigned char *)&reading)[i / 8] ^= (unsigned char)(1U << i % 8);
            if (!host_reading_valid(&reading, &request))
                continue;
            taken++;
            assert_int_equal(reading.kind, kind);
            assert_int_equal(reading.number, request.number);
            assert_null(kind == HOST_FILE_GLOBAL ? host_config_valid(&reading.body.host)
                                                 : network_spec_valid(&reading.body.network));
        }
    }
    assert_true(taken > 100);
    read_text(HOST_FILE_GLOBAL, "[x]\n");
    good = reading;
    for (size_t i = 0; i < sizeof(reading); i++) {
        reading = good;
        ((unsigned char *)&reading)[i] ^= 0x80;
        const bool is_line =
            i >= offsetof(struct host_reading, line) && i < offsetof(struct host_reading, word);
        assert_true(host_reading_valid(&reading, &request) == is_line);
    }
}

/* What inih as it is built here can be told; without that it asks for memory and cuts lines. */
static void options_of_inih(void **state)
{
    (void)state;
    read_text(HOST_FILE_GLOBAL, M);
    assert_true(ini_use_stack);
    assert_int_equal(ini_max_line, 1024);
    assert_false(ini_allow_multiline);
    assert_false(ini_allow_bom);
    assert_false(ini_allow_inline_comments);
    assert_false(ini_allow_no_value);
    assert_true(ini_stop_on_first_error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes),        cmocka_unit_test(long_lines),      cmocka_unit_test(long_files),
        cmocka_unit_test(a_global_file),   cmocka_unit_test(network_files),   cmocka_unit_test(cut_files),
        cmocka_unit_test(changed_answers), cmocka_unit_test(options_of_inih),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
