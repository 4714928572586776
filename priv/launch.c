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

static int child(const struct config *config, const struct prepared *prepared, int root, int end)
{
    struct confinement confinement = {.uid = prepared->account.uid,
                                      .gid = prepared->account.gid,
                                      .root = root,
                                      .descriptors = settings_descriptors(&config->worker),
                                      .channel = end,
                                      .executable = prepared->executable,
                                      .directory = prepared->agent.directory};
    char *const arguments[] = {"metaward-worker", "nursery",
                               (char *)(uintptr_t)network_word(&config->network), NULL};
    char *const environment[] = {NULL};
    struct channel channel;
    struct message failed;
    int step = confine_before_exec(&confinement);
    if (step == 0) {
        syscall(SYS_execveat, NURSERY_EXECUTABLE_FD, "", arguments, environment, AT_EMPTY_PATH);
        step = STEP_EXEC;
    }
    message_begin(&failed, MSG_FAILED);
    failed.status = errno;
    failed.step = step;
    channel_begin(&channel, confinement.channel);
    channel_send(&channel, &failed, NULL);
    return step;
}

pid_t launch_nursery(const struct config *config, const struct prepared *prepared, int end)
{
    int root = confine_tree(prepared->agent.directory);
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
