/*
 * The host's files, one after another: which are opened, in what order, and what becomes of them when the
 * reader ends, lies or says nothing. The reader here is a child of the test that can be told to do so by what
 * stands in a file.
 */
#include "policy/host_files.h"

#include "ipc/clock.h"
#include "ipc/packet.h"
#include "tests/unit/unit.h"
#include "unpriv/reader/host_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES_MOST 32

static char folder[] = "/tmp/metaward-host-files-XXXXXX";
static char directory[64];
static struct host_files files;
static unsigned readers; /* that were started */

static struct {
    char name[CONFIG_PATH_SIZE];
    bool ok;
    char reason[READING_REASON_SIZE];
} results[FILES_MOST];
static unsigned result_count;

static bool on_global(struct host_files *of, const struct host_reading *reading)
{
    assert_ptr_equal(of, &files);
    return reading->ok;
}

static void on_network(struct host_files *of, const char *name, const struct host_reading *reading)
{
    assert_ptr_equal(of, &files);
    assert_in_range(result_count, 0, FILES_MOST - 1);
    snprintf(results[result_count].name, sizeof(results[0].name), "%s", name);
    memcpy(results[result_count].reason, reading->reason, sizeof(reading->reason));
    results[result_count++].ok = reading->ok;
}

static const struct host_files_sink sink = {on_global, on_network};

static bool wait_for_request(int channel, struct host_request *request, int *file)
{
    struct packet_beside beside;
    struct pollfd polled = {.fd = channel, .events = POLLIN};
    if (poll(&polled, 1, -1) != 1 ||
        packet_receive(channel, request, sizeof(*request), &beside) != (ssize_t)sizeof(*request))
        return false;
    *file = beside.fds[0];
    return beside.count == 1;
}

/* In the child. */
static void be_reader(int channel)
{
    static struct host_reading reading;
    static char text[HOST_FILE_MAX];
    struct host_request request;
    int file;

    while (wait_for_request(channel, &request, &file)) {
        ssize_t length = read(file, text, sizeof(text));
        close(file);
        if (length > 4 && memcmp(text, "#die", 4) == 0)
            _exit(1);
        if (length > 5 && memcmp(text, "#hang", 5) == 0)
            continue;
        host_file_read(text, (size_t)length, &request, &reading);
        if (length > 4 && memcmp(text, "#lie", 4) == 0)
            reading.body.network.netns[0] = '-';
        if (length > 6 && memcmp(text, "#short", 6) == 0)
            length = send(channel, &reading, sizeof(reading) - 1, 0);
        else
            length = send(channel, &reading, sizeof(reading), 0);
        if (length > 6 && memcmp(text, "#twice", 6) == 0)
            length = send(channel, &reading, sizeof(reading), 0);
        if (length < 0)
            _exit(2);
    }
    _exit(0);
}

/* One reader's life. */
static enum host_files_progress drive(void)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        be_reader(ends[1]);
    }
    assert_true(pid > 0);
    close(ends[1]);
    readers++;
    enum host_files_progress progress = host_files_reader(&files, ends[0]);
    while (progress == HOST_FILES_WAIT) {
        struct pollfd polled = {.fd = ends[0], .events = POLLIN};
        progress = poll(&polled, 1, 300) > 0 ? host_files_receive(&files)
                                             : host_files_due(&files, clock_now() + HOST_FILES_ANSWER_MS);
    }
    close(ends[0]);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return progress;
}

static enum host_files_progress run(void)
{
    struct host_config host;
    char error[CONFIG_ERROR_SIZE];
    enum host_files_progress progress = HOST_FILES_READER;

    host_config_default(&host);
    assert_true(host_config_finish(&host, error));
    snprintf(host.networks_directory, sizeof(host.networks_directory), "%s", directory);
    host_files_begin_networks(&files, &sink, &host);
    result_count = readers = 0;
    while (progress == HOST_FILES_READER)
        progress = drive();
    return progress;
}

static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void put_good(const char *name)
{
    put(name, "[network]\nnetwork_id = " UUID "\nnetns = a\n");
}

static void path_of(char path[256], const char *name)
{
    snprintf(path, 256, "%s/%s", directory, name);
}

static int make(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(directory, sizeof(directory), "%s/networks.d", folder);
    return mkdir(directory, 0755);
}

static int unmake(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command); /* NOLINT(cert-env33-c): a directory of our own making */
}

static void expect(unsigned number, const char *name, const char *reason)
{
    assert_in_range(number, 0, result_count - 1);
    assert_string_equal(results[number].name, name);
    assert_string_equal(results[number].reason, reason);
    assert_int_equal(results[number].ok, reason[0] == '\0');
}

static void needs_root(void)
{
    if (geteuid() != 0)
        skip();
}

static void in_order(void **state)
{
    (void)state;
    needs_root();
    assert_int_equal(run(), HOST_FILES_DONE);
    assert_int_equal(result_count, 0);
    put_good("b.conf");
    put_good("a.conf");
    put_good("a-1.conf");
    put_good("Z.conf");
    put_good(".hidden.conf");
    put_good("a.conf~");
    put_good("conf");
    put_good(".conf");
    assert_int_equal(run(), HOST_FILES_DONE);
    assert_int_equal(readers, 1);
    assert_int_equal(result_count, 4);
    expect(0, "Z.conf", "");
    expect(1, "a-1.conf", "");
    expect(2, "a.conf", "");
    expect(3, "b.conf", "");
}

static void what_is_not_opened(void **state)
{
    char path[256], target[256];

    (void)state;
    needs_root();
    put_good("a.conf");
    put_good("group.conf");
    path_of(path, "group.conf");
    assert_int_equal(chmod(path, 0664), 0);
    put_good("owner.conf");
    path_of(path, "owner.conf");
    assert_int_equal(chown(path, 65534, 0), 0);
    path_of(target, "a.conf");
    path_of(path, "link.conf");
    assert_int_equal(symlink(target, path), 0);
    path_of(path, "pipe.conf");
    assert_int_equal(mkfifo(path, 0600), 0);
    path_of(path, "folder.conf");
    assert_int_equal(mkdir(path, 0755), 0);
    put_good("big.conf");
    path_of(path, "big.conf");
    assert_int_equal(truncate(path, HOST_FILE_MAX + 1), 0);
    put_good("x y\n.conf");
    put_good("a-name-of-sixty-four-bytes-is-one-byte-longer-than-it-may-be.conf");
    assert_int_equal(run(), HOST_FILES_DONE);
    assert_int_equal(readers, 1);
    unsigned n = 0;
    expect(n++, "a-name-of-sixty-four-bytes-is-one-byte-longer-than-it-may-be.co",
           "its name is too long, or of other bytes than letters, digits, '.', '_' and '-'");
    expect(n++, "a.conf", "");
    expect(n++, "big.conf", "the file is larger than 64 KiB");
    expect(n++, "folder.conf", "not a regular file");
    expect(n++, "group.conf", "belongs to somebody else than root, or others may write to it");
    expect(n++, "link.conf", "a symbolic link");
    expect(n++, "owner.conf", "belongs to somebody else than root, or others may write to it");
    expect(n++, "pipe.conf", "not a regular file");
    expect(n++, "x?y?.conf",
           "its name is too long, or of other bytes than letters, digits, '.', '_' and '-'");
    assert_int_equal(result_count, n);
}

static void no_directory(void **state)
{
    (void)state;
    needs_root();
    assert_int_equal(chmod(directory, 0775), 0);
    assert_int_equal(run(), HOST_FILES_DONE);
    expect(0, directory, "belongs to somebody else than root, or others may write to it");
    assert_int_equal(rmdir(directory), 0);
    assert_int_equal(run(), HOST_FILES_DONE);
    assert_int_equal(result_count, 1);
    expect(0, directory, "can't be opened: ENOENT");
}

/* Each takes down its reader, a fresh one for the second try as well, and nothing else. */
static void readers_that_fail(void **state)
{
    (void)state;
    needs_root();
    put_good("a.conf");
    put("b.conf", "#die\n");
    put_good("c.conf");
    put("d.conf", "#hang\n");
    put_good("e.conf");
    put("f.conf", "#lie\n[network]\nnetwork_id = " UUID "\nnetns = a\n");
    put("g.conf", "#short\n");
    put("h.conf", "#die\n");
    put_good("i.conf");
    assert_int_equal(run(), HOST_FILES_DONE);
    assert_int_equal(result_count, 9);
    expect(0, "a.conf", "");
    expect(1, "b.conf", "the reader ended at this file");
    expect(2, "c.conf", "");
    expect(3, "d.conf", "the reader took too long");
    expect(4, "e.conf", "");
    expect(5, "f.conf", "the reader says what no file leads to");
    expect(6, "g.conf", "the reader says what no file leads to");
    expect(7, "h.conf", "the reader ended at this file");
    expect(8, "i.conf", "");
    assert_int_equal(readers, 9);
}

/* An answer that was not asked for is taken for the next one, and has the wrong number. */
static void answers_too_many(void **state)
{
    (void)state;
    needs_root();
    put("a.conf", "#twice\n[network]\nnetwork_id = " UUID "\nnetns = a\n");
    put_good("b.conf");
    assert_int_equal(run(), HOST_FILES_DONE);
    assert_int_equal(result_count, 2);
    expect(0, "a.conf", "");
    expect(1, "b.conf", "");
    assert_int_equal(readers, 2);
}

static void no_reader_works(void **state)
{
    (void)state;
    needs_root();
    for (char name[] = "a.conf"; name[0] <= 'j'; name[0]++)
        put(name, "#die\n");
    put_good("z.conf");
    assert_int_equal(run(), HOST_FILES_FAILED);
    assert_int_equal(readers, HOST_FILES_BARREN);
    assert_int_equal(result_count, HOST_FILES_BARREN - 1);
}

static void the_global_file(void **state)
{
    char path[256];

    (void)state;
    needs_root();
    path_of(path, "metawardd.conf");
    char text[256];
    snprintf(text, sizeof(text), "[metaward]\nnetworks = %s\n[network defaults]\nidentity = ovn\n",
             directory);
    put("metawardd.conf", text);
    put_good("a.conf");
    result_count = readers = 0;
    host_files_begin(&files, &sink, path);
    assert_int_equal(drive(), HOST_FILES_DONE);
    assert_int_equal(result_count, 2); /* it lies in that directory itself, and is no network */
    expect(0, "a.conf", "");
    expect(1, "metawardd.conf", "no such section");
    put("metawardd.conf", "[x]\n");
    result_count = 0;
    host_files_begin(&files, &sink, path);
    assert_int_equal(drive(), HOST_FILES_DONE);
    assert_int_equal(result_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_order, make, unmake),
        cmocka_unit_test_setup_teardown(what_is_not_opened, make, unmake),
        cmocka_unit_test_setup_teardown(no_directory, make, unmake),
        cmocka_unit_test_setup_teardown(readers_that_fail, make, unmake),
        cmocka_unit_test_setup_teardown(answers_too_many, make, unmake),
        cmocka_unit_test_setup_teardown(no_reader_works, make, unmake),
        cmocka_unit_test_setup_teardown(the_global_file, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
