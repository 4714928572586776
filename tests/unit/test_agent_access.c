/*
 * Who may use the agent's socket, by every combination of owner, group and bits.
 */
#include "tests/unit/unit.h"

#include "policy/agent_access.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH "/where/the/host/has/it/socket" /* only the last part counts */

static char directory[] = "/tmp/metaward-access-XXXXXX";
static char file[sizeof(directory) + 8];
static int fd;

static int make(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(file, sizeof(file), "%s/socket", directory);
    fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int made = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 && made >= 0 && close(made) == 0 ? 0 : -1;
}

static int clear(void **state)
{
    (void)state;
    return close(fd) == 0 && unlink(file) == 0 && rmdir(directory) == 0 ? 0 : -1;
}

static struct account owner_of(uid_t uid, gid_t gid)
{
    return (struct account){uid, gid, NULL};
}

static void the_first_class_that_fits_decides(void **state)
{
    const struct account owner = owner_of(geteuid(), getegid()), group = owner_of(geteuid() + 1, getegid()),
                         other = owner_of(geteuid() + 1, getegid() + 1);
    const struct account *const classes[] = {&other, &group, &owner};
    struct agent_obstacle obstacle;

    (void)state;
    for (mode_t mode = 0; mode <= 0777; mode++) {
        for (unsigned i = 0; i < COUNT(classes); i++) {
            mode_t bits = mode >> 3 * i;
            assert_int_equal(chmod(directory, 0777), 0);
            assert_int_equal(chmod(file, mode), 0);
            assert_int_equal(agent_forbidden(fd, PATH, classes[i], &obstacle), (bits & 2) == 0);
            if ((bits & 2) == 0) {
                assert_false(obstacle.directory);
                assert_int_equal(obstacle.mode, mode);
                assert_int_equal(obstacle.uid, geteuid());
            }
            assert_int_equal(chmod(file, 0777), 0);
            assert_int_equal(chmod(directory, mode), 0);
            assert_int_equal(agent_forbidden(fd, PATH, classes[i], &obstacle), (bits & 1) == 0);
            if ((bits & 1) == 0)
                assert_true(obstacle.directory);
        }
    }
    assert_int_equal(chmod(directory, 0700), 0);
}

static void what_is_not_there_is_no_obstacle(void **state)
{
    const struct account account = owner_of(geteuid() + 1, getegid() + 1);
    struct agent_obstacle obstacle;

    (void)state;
    assert_int_equal(chmod(directory, 0711), 0);
    assert_false(agent_forbidden(fd, "/absent", &account, &obstacle));
    assert_false(agent_forbidden(-1, PATH, &account, &obstacle));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_class_that_fits_decides),
        cmocka_unit_test(what_is_not_there_is_no_obstacle),
    };

    return cmocka_run_group_tests(tests, make, clear);
}
