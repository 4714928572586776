/*
 * The nursery's loop. See nursery.h for the theory.
 */
#include "unpriv/nursery.h"

#include "ipc/channel.h"
#include "ipc/steps.h"
#include "policy/descriptors.h"
#include "policy/filter.h"
#include "policy/inventory.h"
#include "policy/lockdown.h"
#include "unpriv/reader/run.h"
#include "unpriv/start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READER_SECONDS 2 /* of processor time */

struct nursery {
    struct channel channel;
    pid_t pids[MESSAGE_SLOTS]; /* 0: none */
    const char *name;
    bool has_reader; /* its executable is there */
};

/* A parent that has much to do reads later: a report waits for it. */
static bool report(struct nursery *nursery, enum message_type type, unsigned slot, int status, int step)
{
    struct pollfd polled = {.fd = CHANNEL_FD, .events = POLLOUT};
    enum channel_result result;
    struct message message;
    message_begin(&message, type);
    message.slot = (uint16_t)slot;
    message.status = status;
    message.step = step;
    while ((result = channel_send(&nursery->channel, &message, NULL)) == CHANNEL_AGAIN) {
        if (ppoll(&polled, 1, NULL, NULL) < 0 && errno != EINTR)
            return false;
    }
    return result == CHANNEL_OK;
}

/* In the new child: put its two descriptors in place and become the worker. LOG_FD is free in the nursery, so
 * the channel may have come in there: it moves first. Returns only where that failed. */
static int become_worker(const struct nursery *nursery, const int fds[2])
{
    if (dup3(fds[0], CHANNEL_FD, 0) < 0 || dup3(fds[1], LOG_FD, 0) < 0)
        return STEP_EXEC;
#ifdef METAWARD_SANITIZED
    /* The root holds no shared library to execute with: a sanitized nursery becomes the worker itself. */
    for (unsigned i = 0; i < 2; i++) {
        if (fds[i] != LOG_FD)
            close(fds[i]);
    }
    close(NURSERY_EXECUTABLE_FD);
    if (nursery->has_reader)
        close(NURSERY_READER_FD);
    return start_worker();
#else
    char *const arguments[] = {"metaward-worker", "worker", (char *)(uintptr_t)nursery->name, NULL};
    char *const environment[] = {NULL};
    syscall(SYS_execveat, NURSERY_EXECUTABLE_FD, "", arguments, environment, AT_EMPTY_PATH);
    return start_failed(STEP_EXEC);
#endif
}

/* In the new child: the file as 0, the channel as 1, and as 2 something that can be neither read nor written.
 * Returns only where that failed. */
static int become_reader(const int fds[2])
{
    if (!confine_limit(RLIMIT_NPROC, 0) || !confine_limit(RLIMIT_CPU, READER_SECONDS))
        return STEP_LIMITS;
    if (dup3(fds[0], READER_FILE_FD, 0) < 0 || dup3(fds[1], READER_ANSWER_FD, 0) < 0 ||
        dup3(NURSERY_READER_FD, STDERR_FILENO, 0) < 0)
        return STEP_EXEC;
#ifdef METAWARD_SANITIZED
    close(fds[1]);
    close(NURSERY_READER_FD);
    return reader_run();
#else
    char *const arguments[] = {"metaward-reader", NULL};
    char *const environment[] = {NULL};
    syscall(SYS_execveat, NURSERY_READER_FD, "", arguments, environment, AT_EMPTY_PATH);
    return STEP_EXEC;
#endif
}

static bool spawn(struct nursery *nursery, unsigned slot, unsigned role, const int fds[2])
{
    long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
    if (pid == 0)
        _exit(role == SPAWN_READER ? become_reader(fds) : become_worker(nursery, fds));
    if (pid < 0)
        return report(nursery, MSG_FAILED, slot, errno, STEP_EXEC);
    nursery->pids[slot] = (pid_t)pid;
    return true;
}

/* The signal does nothing to a worker that has ended already: it is told how it did. */
static bool bury(struct nursery *nursery, unsigned slot)
{
    int status = 0;
    pid_t pid = nursery->pids[slot];
    if (kill(pid, SIGKILL) != 0 || wait4(pid, &status, 0, NULL) != pid)
        return false;
    nursery->pids[slot] = 0;
    return report(nursery, MSG_EXITED, slot, status, 0);
}

/* A message from the parent. */
static int obey(struct nursery *nursery)
{
    struct received received;
    switch (channel_receive(&nursery->channel, PHASE_NURSERY, &received)) {
    case CHANNEL_OK:
        break;
    case CHANNEL_AGAIN:
        return 0;
    case CHANNEL_CLOSED:
        _exit(0); /* the parent is gone or wants us gone; the workers go with us */
    default:
        return STEP_CHANNEL;
    }
    unsigned slot = received.message.slot;
    bool done;
    if (received.message.type == MSG_SPAWN) {
        done = nursery->pids[slot] == 0 && (nursery->has_reader || received.message.role == SPAWN_WORKER) &&
               spawn(nursery, slot, received.message.role, received.fds);
        close(received.fds[0]);
        close(received.fds[1]);
    } else {
        done = nursery->pids[slot] == 0 || bury(nursery, slot);
    }
    return done ? 0 : STEP_CHANNEL;
}

static int serve(struct nursery *nursery)
{
    struct pollfd polled = {.fd = CHANNEL_FD, .events = POLLIN};
    for (;;) {
        if (ppoll(&polled, 1, NULL, NULL) < 0 && errno != EINTR)
            return STEP_CHANNEL;
        int step = obey(nursery);
        if (step != 0)
            return step;
    }
}

static bool starts_readers(enum policy_role role)
{
    return role == POLICY_NURSERY_RELOAD || role == POLICY_NURSERY_HOST;
}

static int confine(enum policy_role role)
{
    static const struct descriptor expected[] = {{CHANNEL_FD, KIND_CHANNEL},
                                                 {NURSERY_EXECUTABLE_FD, KIND_NO_SOCKET},
                                                 {NURSERY_READER_FD, KIND_NO_SOCKET}};
    const bool has_reader = starts_readers(role);
    if (!inventory_exact(expected, has_reader ? 3 : 2))
        return STEP_INVENTORY;
    if (fcntl(NURSERY_EXECUTABLE_FD, F_SETFD, FD_CLOEXEC) != 0 ||
        (has_reader && fcntl(NURSERY_READER_FD, F_SETFD, FD_CLOEXEC) != 0))
        return STEP_DESCRIPTORS;
    if (!confine_not_dumpable())
        return STEP_NO_NEW_PRIVS;
    if (!filter_load(role, NULL))
        return STEP_FILTER;
    return 0;
}

int nursery_run(const char *name, enum policy_role role)
{
    static struct nursery nursery;
    nursery.name = name;
    nursery.has_reader = starts_readers(role);
    channel_begin(&nursery.channel, CHANNEL_FD);
    int step = confine(role);
    if (step != 0) {
        report(&nursery, MSG_FAILED, 0, errno, step);
        return step;
    }
    if (!report(&nursery, MSG_NURSERY_READY, 0, 0, 0))
        return STEP_CHANNEL;
    return serve(&nursery);
}
