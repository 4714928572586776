/*
 * Landlock by itself, without the system call filter that stands before it in the worker: what a process
 * under it can't do any more, and what it must still be able to do. Where the kernel has no Landlock there is
 * nothing to test.
 */
#include "policy/landlock.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/metaward-landlock-XXXXXX";
static struct sockaddr_un by_path = {.sun_family = AF_UNIX}, abstract = {.sun_family = AF_UNIX};
static struct sockaddr_in by_number = {.sin_family = AF_INET};
static socklen_t abstract_length;

/* errno of the attempt, 0 where it worked. */
typedef int (*attempt)(void);

/* Make the attempt in a child under Landlock, or without, with one port allowed. @return its errno */
static int result_with(attempt try, bool confined, uint16_t port)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        if (confined && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !landlock_apply(port)))
            _exit(255);
        _exit(try());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 255);
    return WEXITSTATUS(status);
}

static int result_of(attempt try, bool confined)
{
    return result_with(try, confined, 0);
}

static int as_error(long result)
{
    return result >= 0 ? 0 : errno;
}

static int read_a_file(void)
{
    return as_error(open("/etc/passwd", O_RDONLY));
}

static int read_a_folder(void)
{
    return as_error(open(folder, O_RDONLY | O_DIRECTORY));
}

static int make_a_file(void)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/new", folder);
    return as_error(open(path, O_WRONLY | O_CREAT, 0600));
}

static int execute(void)
{
    return as_error(execl("/bin/true", "true", NULL));
}

static int connect_by_path(void)
{
    return as_error(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&by_path, sizeof(by_path)));
}

static int connect_by_number(void)
{
    return as_error(
        connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&by_number, sizeof(by_number)));
}

static int bind_a_number(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = by_number.sin_addr};
    return as_error(bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&any, sizeof(any)));
}

static int connect_to_an_abstract_name(void)
{
    return as_error(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&abstract, abstract_length));
}

static int signal_the_parent(void)
{
    return as_error(kill(getppid(), 0));
}

/* A right is taken away from this ABI version on, and with this error. */
static void is_taken_away(attempt try, int abi, int error)
{
    if (landlock_abi() < abi)
        skip();
    assert_int_equal(result_of(try, false), 0);
    assert_int_equal(result_of(try, true), error);
}

static void files_are_out_of_reach(void **state)
{
    (void)state;
    is_taken_away(read_a_file, 1, EACCES);
    is_taken_away(read_a_folder, 1, EACCES);
    is_taken_away(make_a_file, 1, EACCES);
    is_taken_away(execute, 1, EACCES);
}

static void tcp_is_out_of_reach(void **state)
{
    (void)state;
    is_taken_away(connect_by_number, 4, EACCES);
    is_taken_away(bind_a_number, 4, EACCES);
}

static void one_port_can_be_left(void **state)
{
    const uint16_t port = ntohs(by_number.sin_port);
    (void)state;
    if (landlock_abi() < 4)
        skip();
    assert_int_equal(result_with(connect_by_number, true, port), 0);
    assert_int_equal(result_with(connect_by_number, true, (uint16_t)(port ^ 1)), EACCES);
    assert_int_equal(result_with(bind_a_number, true, port), EACCES);
}

static void abstract_sockets_and_others_signals_are_out_of_reach(void **state)
{
    (void)state;
    is_taken_away(connect_to_an_abstract_name, 6, EPERM);
    is_taken_away(signal_the_parent, 6, EPERM);
}

static void the_agents_socket_is_still_found_by_its_path(void **state)
{
    (void)state;
    assert_int_equal(result_of(connect_by_path, true), 0);
}

static int listen_at(int family, struct sockaddr *address, socklen_t length)
{
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, address, length) != 0 || listen(fd, 16) != 0)
        return -1;
    return getsockname(fd, address, &length);
}

static int make_listeners(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(by_path.sun_path, sizeof(by_path.sun_path), "%s/socket", folder);
    int name = snprintf(abstract.sun_path + 1, sizeof(abstract.sun_path) - 1, "metaward-%d", (int)getpid());
    abstract_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)name);
    by_number.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listen_at(AF_UNIX, (struct sockaddr *)&by_path, sizeof(by_path)) != 0)
        return -1;
    if (listen_at(AF_UNIX, (struct sockaddr *)&abstract, abstract_length) != 0)
        return -1;
    return listen_at(AF_INET, (struct sockaddr *)&by_number, sizeof(by_number));
}

static int clean_up(void **state)
{
    char path[64];
    (void)state;
    unlink(by_path.sun_path);
    snprintf(path, sizeof(path), "%s/new", folder);
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_out_of_reach),
        cmocka_unit_test(tcp_is_out_of_reach),
        cmocka_unit_test(one_port_can_be_left),
        cmocka_unit_test(abstract_sockets_and_others_signals_are_out_of_reach),
        cmocka_unit_test(the_agents_socket_is_still_found_by_its_path),
    };
    return cmocka_run_group_tests(tests, make_listeners, clean_up);
}
