/*
 * The child between clone() and execveat(). See launch.h.
 */
#include "policy/launch.h"

#include "policy/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static int child(struct confinement *confinement, const char *role, const char *name)
{
    char *const arguments[] = {"metaward-worker", (char *)(uintptr_t)role, (char *)(uintptr_t)name, NULL};
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

pid_t launch(const struct confinement *confinement, unsigned long namespaces, const char *role,
             const char *name, struct channel *channel)
{
    struct confinement own = *confinement;
    int ends[2];
    if (!channel_pair(ends))
        return -1;
    channel_begin(channel, ends[0]);
    own.channel = ends[1];
    own.root = confine_tree(confinement->directory);
    /* The C library's fork() can make no namespaces; nothing in this process needs its handlers. */
    long pid = own.root < 0 ? -1 : syscall(SYS_clone, namespaces | SIGCHLD, NULL, NULL, NULL, 0);
    if (pid == 0)
        _exit(child(&own, role, name));
    int error = errno;
    close(own.root);
    close(ends[1]);
    errno = error;
    return (pid_t)pid;
}
