/*
 * The child between clone() and execveat(). See launch.h.
 */
#include "policy/launch.h"

#include "ipc/report.h"
#include "ipc/steps.h"
#include "policy/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static int child(struct confinement *confinement, const struct launch *what)
{
    char *const arguments[] = {"metaward-worker", (char *)(uintptr_t)what->role,
                               (char *)(uintptr_t)what->name, NULL};
    char *const environment[] = {NULL};
    struct channel channel;
    struct message failed;
    int step = confine_before_exec(confinement);
    if (step == 0) {
        syscall(SYS_execveat, NURSERY_EXECUTABLE_FD, "", arguments, environment, AT_EMPTY_PATH);
        step = STEP_EXEC;
    }
    message_begin(&failed, MSG_FAILED);
    failed.status = errno;
    failed.step = step;
    channel_begin(&channel, confinement->channel);
    channel_send(&channel, &failed, NULL);
    return step;
}

int launch(const struct confinement *confinement, const struct launch *what, struct channel *channel,
           pid_t *pid)
{
    struct confinement own = *confinement;
    int ends[2];
    if (!channel_pair(ends))
        return report_failed(STEP_CHANNEL, errno, what->role);
    channel_begin(channel, ends[0]);
    own.channel = ends[1];
    own.root = confine_tree(confinement->directory);
    /* The C library's fork() can make no namespaces; nothing in this process needs its handlers. */
    long child_pid = own.root < 0 ? -1 : syscall(SYS_clone, what->namespaces | SIGCHLD, NULL, NULL, NULL, 0);
    if (child_pid == 0)
        _exit(child(&own, what));
    int error = errno;
    close(own.root);
    close(ends[1]);
    if (child_pid < 0)
        return report_failed(what->step, error, "");
    *pid = (pid_t)child_pid;
    return 0;
}
