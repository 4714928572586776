/*
 * See become.h.
 */
#include "policy/become.h"

#include "policy/confine.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST 16 /* descriptors; copies of them are made above all their places first */

int become(int executable, char *const *arguments, uid_t real, const int *fds, int first, size_t count)
{
    char *const environment[] = {NULL};
    const int above = first + MOST;
    int copies[MOST], program = fcntl(executable, F_DUPFD_CLOEXEC, above);
    if (program < 0 || count > MOST)
        return STEP_DESCRIPTORS;
    for (size_t i = 0; i < count; i++) {
        copies[i] = fds[i] >= 0 ? fcntl(fds[i], F_DUPFD_CLOEXEC, above) : -1;
        if (fds[i] >= 0 && copies[i] < 0)
            return STEP_DESCRIPTORS;
    }
    if (close_range((unsigned)first, (unsigned)above - 1, 0) != 0)
        return STEP_DESCRIPTORS;
    for (size_t i = 0; i < count; i++) {
        if (copies[i] >= 0 && dup3(copies[i], first + (int)i, 0) < 0)
            return STEP_DESCRIPTORS;
    }
    if (setresuid(real, 0, 0) != 0)
        return STEP_IDS;
    int step = confine_parent();
    if (step != 0)
        return step;
    syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
    return STEP_EXEC;
}
