/*
 * The child between clone() and execveat(). See launch.h.
 */
#include "policy/launch.h"

#include "ipc/channel.h"
#include "ipc/clock.h"
#include "policy/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAST_MS 1000 /* how long the end waits for the nursery's */

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

static pid_t clone_child(struct confinement *confinement, unsigned long namespaces, const char *role,
                         const char *name)
{
    confinement->root = confine_tree(confinement->directory);
    if (confinement->root < 0)
        return -1;
    /* The C library's fork() can make no namespaces; nothing in this process needs its handlers. */
    long pid = syscall(SYS_clone, namespaces | SIGCHLD, NULL, NULL, NULL, 0);
    if (pid == 0)
        _exit(child(confinement, role, name));
    int error = errno;
    close(confinement->root);
    errno = error;
    return (pid_t)pid;
}

static pid_t launch(struct confinement *confinement, unsigned long namespaces, const char *role,
                    const char *name, int *channel)
{
    int ends[2];
    if (!channel_pair(ends))
        return -1;
    confinement->channel = ends[1];
    pid_t pid = clone_child(confinement, namespaces, role, name);
    int error = errno;
    close(ends[1]);
    if (pid > 0)
        *channel = ends[0];
    else
        close(ends[0]);
    errno = error;
    return pid;
}

pid_t launch_nursery(struct confinement *confinement, const char *name, int *channel)
{
    static const char *const roles[2][2] = {{"nursery", "nursery-host"},
                                            {"nursery-dialed", "nursery-reload"}};
    return launch(confinement, confine_namespaces,
                  roles[confinement->directory < 0][confinement->reader != 0], name, channel);
}

pid_t launch_dialer(struct confinement *confinement, const char *name, int *channel)
{
    confinement->reader = 0;
    return launch(confinement, confine_namespaces & ~(unsigned long)CLONE_NEWNET, "dialer", name, channel);
}

const char *launch_confirm(pid_t nursery, const struct facts *facts)
{
    struct facts expected = *facts;
    expected.filters--;
    return facts_status(nursery, &expected);
}

void launch_end(int channel, pid_t pid)
{
    if (pid <= 0)
        return;
    int64_t until = clock_now() + LAST_MS;
    close(channel);
    while (waitpid(pid, NULL, WNOHANG) == 0 && clock_now() < until) {
        struct timespec pause = {.tv_nsec = 1000000};
        sigset_t none;
        sigemptyset(&none);
        ppoll(NULL, 0, &pause, &none); /* SIGCHLD ends the pause */
    }
}
