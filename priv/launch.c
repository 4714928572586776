/*
 * The child between clone() and execveat(). See launch.h.
 */
#include "priv/launch.h"

#include "ipc/channel.h"
#include "ipc/steps.h"
#include "policy/confine.h"
#include "policy/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Exactly the nursery's descriptors, at their numbers; everything else is closed. */
static bool place_descriptors(int end, int executable)
{
#ifdef METAWARD_SANITIZED
    if (dup3(STDERR_FILENO, REPORT_FD, 0) < 0)
        return false;
#endif
    if (dup3(end, CHANNEL_FD, 0) < 0 || dup3(executable, LOG_FD, 0) < 0 ||
        dup3(executable, NURSERY_EXECUTABLE_FD, 0) < 0)
        return false;
#ifdef METAWARD_SANITIZED
    return close_range(NURSERY_EXECUTABLE_FD + 1, REPORT_FD - 1, 0) == 0 &&
           close_range(REPORT_FD + 1, ~0U, 0) == 0;
#else
    return close_range(NURSERY_EXECUTABLE_FD + 1, ~0U, 0) == 0;
#endif
}

static int child(const struct config *config, const struct prepared *prepared, int root, int end)
{
    const struct confinement confinement = {.uid = prepared->account.uid,
                                            .gid = prepared->account.gid,
                                            .root = root,
                                            .descriptors = settings_descriptors(&config->worker)};
    char *const arguments[] = {"metaward-worker", "nursery", (char *)(uintptr_t)config->worker.uuid, NULL};
    char *const environment[] = {NULL};
    struct channel channel;
    struct message failed;
    int step = confine_before_exec(&confinement);
#ifdef METAWARD_SANITIZED
    if (step == 0 &&
        fchdir(prepared->backend_directory) != 0) /* the root is the host's: the worker looks here */
        step = STEP_ROOT;
#endif
    if (step == 0 && !place_descriptors(end, prepared->executable))
        step = STEP_DESCRIPTORS;
    if (step == 0) {
        syscall(SYS_execveat, NURSERY_EXECUTABLE_FD, "", arguments, environment, AT_EMPTY_PATH);
        step = STEP_EXEC;
        end = CHANNEL_FD;
    }
    message_begin(&failed, MSG_FAILED);
    failed.status = errno;
    failed.step = step;
    channel_begin(&channel, end);
    channel_send(&channel, &failed, NULL);
    return step;
}

pid_t launch_nursery(const struct config *config, const struct prepared *prepared, int end)
{
    int root = confine_tree(prepared->backend_directory);
    if (root < 0)
        return -1;
    /* The C library's fork() can make no namespaces; nothing in this process needs its handlers. */
    long pid = syscall(SYS_clone, confine_namespaces | SIGCHLD, NULL, NULL, NULL, 0);
    if (pid == 0)
        _exit(child(config, prepared, root, end));
    int error = errno;
    close(root);
    errno = error;
    return (pid_t)pid;
}
