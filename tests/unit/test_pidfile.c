/*
 * The pid file in a directory of its own: whatever may stand in its place, whoever may hold it, and what is
 * left of it afterwards. The cases that need another owner run as root only.
 */
#include "tests/unit/unit.h"

#include "ipc/pidfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[64];
static char path[96];   /* the pid file */
static char second[96]; /* another name in the directory */
static struct pidfile pidfile;
static char error[PIDFILE_ERROR_SIZE];

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/metaward-pidfile-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/x.pid", directory);
    snprintf(second, sizeof(second), "%s/other", directory);
    memset(&pidfile, 0, sizeof(pidfile));
    memset(error, 0, sizeof(error));
    umask(022);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    chmod(directory, 0700);
    unlink(path);
    rmdir(path);
    unlink(second);
    return rmdir(directory); /* fails where a temporary file was left */
}

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void expect_text(const char *name, const char *text)
{
    char found[64] = "";
    FILE *file = fopen(name, "r");

    assert_non_null(file);
    found[fread(found, 1, sizeof(found) - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(found, text);
}

static unsigned count_entries(const char *name)
{
    DIR *entries = opendir(name);
    unsigned count = 0;

    assert_non_null(entries);
    while (readdir(entries) != NULL)
        count++;
    closedir(entries);
    return count - 2; /* "." and ".." */
}

static void write_good(pid_t pid)
{
    if (pidfile_write(path, pid, 0, &pidfile, error) != 0)
        fail_msg("%s", error);
}

/* Refused with this errno and words of the error line, with no descriptor and no file left over. */
static void expect_refused(int number, const char *words)
{
    unsigned descriptors = count_entries("/proc/self/fd"), files = count_entries(directory);

    assert_int_equal(pidfile_write(path, 4711, 0, &pidfile, error), number);
    assert_memory_equal(error, path, strlen(path));
    if (strstr(error, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error, words);
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    assert_int_equal(count_entries(directory), files);
    assert_int_equal(pidfile_remove(&pidfile), 0); /* nothing was written, nothing is removed */
    assert_int_equal(count_entries(directory), files);
}

static void expect_gone(void)
{
    assert_int_equal(pidfile_remove(&pidfile), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(count_entries(directory), 0);
}

static void written_and_removed(void **state)
{
    unsigned descriptors = count_entries("/proc/self/fd");
    struct stat status;

    (void)state;
    write_good(4711);
    expect_text(path, "4711\n");
    assert_int_equal(count_entries(directory), 1);
    assert_int_equal(fcntl(pidfile.file, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(pidfile.directory, F_GETFD), FD_CLOEXEC);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode, S_IFREG | 0644);
    assert_int_equal(status.st_nlink, 1);
    expect_gone();
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
}

static void mode_under_every_umask(void **state)
{
    static const mode_t masks[] = {0, 077, 0777, 022};
    struct stat status;

    (void)state;
    for (size_t i = 0; i < COUNT(masks); i++) {
        umask(masks[i]);
        write_good(1);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0644);
        expect_gone();
    }
    umask(022);
}

static void stale_files(void **state)
{
    static const char *const texts[] = {"1\n", "1", "", "4194304\n"}; /* 1 lives: the number does not count */

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct stat before, after;
        write_text(path, texts[i]);
        assert_int_equal(chmod(path, 0600), 0);
        assert_int_equal(stat(path, &before), 0);
        write_good(4711);
        expect_text(path, "4711\n");
        assert_int_equal(stat(path, &after), 0);
        assert_true(after.st_ino != before.st_ino); /* replaced, not written to */
        assert_int_equal(after.st_mode & 07777, 0644);
        expect_gone();
    }
}

static void foreign_files(void **state)
{
    static const char *const texts[] = {"\n",
                                        "root:x:0:0\n",
                                        "1 2\n",
                                        "1\n2\n",
                                        "-1\n",
                                        "0\n",
                                        "01\n",
                                        " 1\n",
                                        "1\n\n",
                                        "99999999999999999999999999\n",
                                        "2147483648\n",
                                        "1\r\n",
                                        "123456789012345\n"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        write_text(path, texts[i]);
        expect_refused(EEXIST, "not a pid file");
        expect_text(path, texts[i]);
    }
}

/* Another name of somebody else's file: the name is taken over, the file stays as it was. */
static void hard_link(void **state)
{
    (void)state;
    write_text(second, "12\n");
    assert_int_equal(link(second, path), 0);
    write_good(4711);
    expect_text(path, "4711\n");
    expect_text(second, "12\n");
    assert_int_equal(pidfile_remove(&pidfile), 0);
    expect_text(second, "12\n");
}

static void symbolic_links(void **state)
{
    (void)state;
    write_text(second, "12\n");
    assert_int_equal(symlink(second, path), 0);
    expect_refused(ELOOP, "can't open what is there");
    expect_text(second, "12\n");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/nonexistent/x", path), 0); /* dangling */
    expect_refused(ELOOP, "can't open what is there");
}

static void other_kinds(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for another end */
    expect_refused(EEXIST, "not a regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_refused(EISDIR, "can't open what is there");
    assert_int_equal(rmdir(path), 0);
    if (mknod(path, S_IFCHR | 0600, makedev(1, 3)) == 0) /* the null device; takes root */
        assert_int_not_equal(pidfile_write(path, 4711, 0, &pidfile, error), 0);
}

static void huge_file(void **state)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "1\n", 2), 2);
    assert_int_equal(ftruncate(fd, 1 << 30), 0); /* sparse */
    close(fd);
    expect_refused(EEXIST, "not a pid file");
}

static void bad_paths(void **state)
{
    char name[CONFIG_PATH_SIZE + 8];

    (void)state;
    assert_int_equal(pidfile_write("/nonexistent/dir/x.pid", 1, 0, &pidfile, error), ENOENT);
    assert_string_equal(error, "/nonexistent/dir/x.pid: can't open its directory");
    snprintf(name, sizeof(name), "%s/x", path);
    write_text(path, "1\n");
    assert_int_equal(pidfile_write(name, 1, 0, &pidfile, error), ENOTDIR);
    memset(name, 'x', sizeof(name));
    name[0] = '/';
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(pidfile_write(name, 1, 0, &pidfile, error), ENAMETOOLONG);
    assert_non_null(memchr(error, '\0', sizeof(error)));
}

static void directories_of_others(void **state)
{
    static const struct {
        mode_t mode;
        bool good;
    } cases[] = {{0777, false}, {0775, false}, {0757, false}, {0722, false},
                 {01777, true}, {01775, true}, {0755, true},  {0700, true}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(chmod(directory, cases[i].mode), 0);
        if (!cases[i].good) {
            expect_refused(EPERM, "others than its owner may write");
            continue;
        }
        write_good(1);
        expect_gone();
    }
}

/* Whoever writes the configuration may name a file where he could make one himself. */
static void directory_of_another_than_the_writer(void **state)
{
    const uid_t own = geteuid();

    (void)state;
    assert_int_equal(pidfile_write(path, 1, own + 1, &pidfile, error), EPERM);
    assert_non_null(strstr(error, "another user's than the configuration"));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(pidfile_write(path, 1, own, &pidfile, error), 0);
    expect_gone();
}

/* Start a process that holds the pid file until it is killed; it writes its own pid. */
static pid_t start_holder(void)
{
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ready[0]);
        if (pidfile_write(path, getpid(), 0, &pidfile, error) != 0 || write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void kill_holder(pid_t child)
{
    int status;

    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void held_by_another(void **state)
{
    pid_t child = start_holder();
    char words[64];

    (void)state;
    snprintf(words, sizeof(words), "another instance, pid %d, holds it", child);
    expect_refused(EBUSY, words);
    snprintf(words, sizeof(words), "%d\n", child);
    expect_text(path, words);
    kill_holder(child); /* it had no time to remove its file: stale now, whoever gets its number */
    expect_text(path, words);
    write_good(4711);
    expect_text(path, "4711\n");
    expect_gone();
}

/* The lock belongs to the open file: a child that shares it holds it after its parent has gone. */
static void held_across_fork(void **state)
{
    int ready[2], status;
    char byte;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid_t starter = fork();
    if (starter == 0) {
        if (pidfile_write(path, getpid(), 0, &pidfile, error) != 0)
            _exit(1);
        if (fork() == 0) { /* the daemon: lives until the test closes its end */
            close(ready[1]);
            _exit(read(ready[0], &byte, 1) == 0 ? 0 : 1);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(starter, &status, 0), starter);
    assert_int_equal(status, 0);
    expect_refused(EBUSY, "another instance");
    close(ready[0]);
    close(ready[1]);
    for (int i = 0; i < 1000 && pidfile_write(path, 1, 0, &pidfile, error) != 0; i++)
        usleep(1000); /* until the daemon is gone */
    expect_text(path, "1\n");
    expect_gone();
}

static void held_twice_by_us(void **state)
{
    struct pidfile again;

    (void)state;
    write_good(4711);
    assert_int_equal(pidfile_write(path, 4712, 0, &again, error), EBUSY);
    expect_text(path, "4711\n");
    expect_gone();
}

static void replaced_file_stays(void **state)
{
    (void)state;
    write_good(4711);
    write_text(second, "99\n");
    assert_int_equal(rename(second, path), 0);
    assert_int_equal(pidfile_remove(&pidfile), 0);
    expect_text(path, "99\n");
    write_good(4711); /* a symbolic link in its place is somebody else's, too */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(pidfile_remove(&pidfile), 0);
    assert_int_equal(access(path, F_OK), 0);
}

static void vanished(void **state)
{
    (void)state;
    write_good(4711);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(pidfile_remove(&pidfile), 0);
    write_good(4711); /* the directory as well */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
    assert_int_equal(pidfile_remove(&pidfile), 0);
    assert_int_equal(mkdir(directory, 0700), 0);
}

/* A directory moved away: the file is found through the descriptor. */
static void moved_directory(void **state)
{
    char moved[80];

    (void)state;
    snprintf(moved, sizeof(moved), "%s-moved", directory);
    write_good(4711);
    assert_int_equal(rename(directory, moved), 0);
    assert_int_equal(pidfile_remove(&pidfile), 0);
    assert_int_equal(count_entries(moved), 0);
    assert_int_equal(rename(moved, directory), 0);
}

/* A process that owns its file holds the lock and no directory, and still finds the directory where it is. */
static void owned(void **state)
{
    int status;
    char moved[80];

    (void)state;
    snprintf(moved, sizeof(moved), "%s-moved", directory);
    pid_t child = fork();
    if (child == 0) {
        unsigned descriptors = count_entries("/proc/self/fd");
        write_good(getpid());
        bool good = pidfile_own(&pidfile) && count_entries("/proc/self/fd") == descriptors + 1 &&
                    rename(directory, moved) == 0 && pidfile_remove(&pidfile) == 0 &&
                    count_entries("/proc/self/fd") == descriptors;
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(count_entries(moved), 0);
    assert_int_equal(rename(moved, directory), 0);
}

/* Without the right to remove it, in a child that gave up root: the error is told, the number is gone. */
static void not_removable(void **state)
{
    int status;

    (void)state;
    if (geteuid() != 0)
        skip();
    write_good(4711);
    pid_t child = fork();
    if (child == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(1);
        _exit(pidfile_remove(&pidfile) == EACCES ? 0 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    expect_text(path, "");
    expect_gone();
}

/* Many starters at once: exactly one of them holds the file, and it is that one's number which stands there.
 */
static void race_of_starters(void **state)
{
    enum { STARTERS = 12, ROUNDS = 20 };

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        int start[2], result[2], stop[2], winners = 0, losers = 0;
        pid_t children[STARTERS], winner = 0;
        assert_int_equal(pipe(start) + pipe(result) + pipe(stop), 0);
        if (round % 2 == 0)
            write_text(path, "77\n"); /* a stale one to fight for */
        for (int i = 0; i < STARTERS; i++) {
            children[i] = fork();
            if (children[i] == 0) {
                char byte;
                close(start[1]);
                close(stop[1]);
                (void)!read(start[0], &byte, 1); /* end of file is the starting shot */
                int code = pidfile_write(path, getpid(), 0, &pidfile, error);
                pid_t told = code == 0 ? getpid() : (code == EBUSY ? 0 : -code);
                (void)!write(result[1], &told, sizeof(told));
                (void)!read(stop[0], &byte, 1);
                _exit(0);
            }
        }
        close(start[0]);
        close(start[1]);
        for (int i = 0; i < STARTERS; i++) {
            pid_t told;
            assert_int_equal(read(result[0], &told, sizeof(told)), (ssize_t)sizeof(told));
            assert_true(told >= 0);
            winners += told > 0;
            losers += told == 0;
            winner = told > 0 ? told : winner;
        }
        char words[32];
        snprintf(words, sizeof(words), "%d\n", winner);
        expect_text(path, words);
        close(stop[0]);
        close(stop[1]);
        for (int i = 0; i < STARTERS; i++)
            assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
        close(result[0]);
        close(result[1]);
        assert_int_equal(winners, 1);
        assert_int_equal(losers, STARTERS - 1);
        assert_int_equal(count_entries(directory), 1); /* no temporary file is left */
        assert_int_equal(unlink(path), 0);
    }
}

#define IN_A_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_DIRECTORY(written_and_removed),
        IN_A_DIRECTORY(mode_under_every_umask),
        IN_A_DIRECTORY(stale_files),
        IN_A_DIRECTORY(foreign_files),
        IN_A_DIRECTORY(hard_link),
        IN_A_DIRECTORY(symbolic_links),
        IN_A_DIRECTORY(other_kinds),
        IN_A_DIRECTORY(huge_file),
        IN_A_DIRECTORY(bad_paths),
        IN_A_DIRECTORY(directories_of_others),
        IN_A_DIRECTORY(directory_of_another_than_the_writer),
        IN_A_DIRECTORY(held_by_another),
        IN_A_DIRECTORY(held_across_fork),
        IN_A_DIRECTORY(held_twice_by_us),
        IN_A_DIRECTORY(replaced_file_stays),
        IN_A_DIRECTORY(vanished),
        IN_A_DIRECTORY(moved_directory),
        IN_A_DIRECTORY(owned),
        IN_A_DIRECTORY(not_removable),
        IN_A_DIRECTORY(race_of_starters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
