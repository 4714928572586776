/*
 * See heir.h.
 */
#include "policy/heir.h"

#include "ipc/notify.h"
#include "ipc/packet.h"
#include "ipc/report.h"
#include "ipc/steps.h"
#include "policy/trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEIR_FD 3

static const char program[] = METAWARD_SBINDIR "/metawardd";

/* Signals that are for the daemon, but may be sent to all of its processes. */
static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
#define IGNORED (sizeof(ignored) / sizeof(ignored[0]))

static void on_child(int number)
{
    (void)number; /* it only ends the wait */
}

static bool set_signals(bool heir)
{
    struct sigaction action = {.sa_handler = heir ? on_child : SIG_DFL};
    sigset_t held;
    sigemptyset(&held);
    if (heir)
        sigaddset(&held, SIGCHLD);
    if (sigaction(SIGCHLD, &action, NULL) != 0)
        return false;
    action.sa_handler = heir ? SIG_IGN : SIG_DFL;
    for (size_t i = 0; i < IGNORED; i++) {
        if (sigaction(ignored[i], &action, NULL) != 0)
            return false;
    }
    return sigprocmask(SIG_SETMASK, &held, NULL) == 0;
}

/* The child: it becomes the successor. */
static _Noreturn void become_successor(char *const *arguments, int handover)
{
    int executable = trusted_executable(program);
    if (executable >= 0 && dup2(handover, STDIN_FILENO) == STDIN_FILENO && set_signals(false))
        syscall(SYS_execveat, executable, "", arguments, notify_environment(), AT_EMPTY_PATH);
    _exit(report_failed(STEP_SUCCESSOR, errno, program));
}

static pid_t start(char *const *arguments, int handover)
{
    pid_t child = fork();
    if (child == 0)
        become_successor(arguments, handover);
    if (child < 0)
        report_failed(STEP_SUCCESSOR, errno, "a process for it");
    return child;
}

static void tell(int status)
{
    if (packet_send(HEIR_FD, &status, sizeof(status), NULL, 0) != CHANNEL_OK)
        _exit(0); /* it can't be told, so it would wait for ever */
}

/* @return the child that runs then; 0: none */
static pid_t obey(char *const *arguments, pid_t running)
{
    struct packet_beside beside;
    char word;
    ssize_t length = packet_receive(HEIR_FD, &word, sizeof(word), &beside);
    if (length < 0)
        return running;
    if (length == 0)
        _exit(0);
    if (beside.count == 0 && running > 0)
        (void)kill(running, SIGKILL);
    if (beside.count == 1 && running == 0 && (running = start(arguments, beside.fds[0])) < 0) {
        tell(STEP_SUCCESSOR << 8); /* as an exit status */
        running = 0;
    }
    packet_refuse(&beside);
    return running;
}

static _Noreturn void wait_for_words(char *const *arguments)
{
    struct pollfd polled = {.fd = HEIR_FD, .events = POLLIN};
    pid_t running = 0;
    sigset_t none;
    sigemptyset(&none);
    for (;;) {
        int status, ready = ppoll(&polled, 1, NULL, &none);
        if (running > 0 && wait4(running, &status, WNOHANG, NULL) == running) {
            running = 0;
            tell(status);
        }
        if (ready > 0)
            running = obey(arguments, running);
    }
}

/* All that it holds: the daemon's output, and the pair's end. */
static bool settle(int end, pid_t daemon)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || (end != HEIR_FD && dup3(end, HEIR_FD, O_CLOEXEC) < 0) ||
        close_range(HEIR_FD + 1, ~0U, 0) != 0)
        return false;
    return setsid() >= 0 && prctl(PR_SET_NAME, "metaward-heir", 0, 0, 0) == 0 &&
           prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == daemon && set_signals(true);
}

int heir_begin(char *const *arguments)
{
    int ends[2];
    pid_t daemon = getpid();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        if (settle(ends[1], daemon))
            wait_for_words(arguments);
        _exit(report_failed(STEP_SUCCESSOR, errno, "the process for it"));
    }
    int error = errno;
    close(ends[1]);
    if (child > 0)
        return ends[0];
    close(ends[0]);
    errno = error;
    return -1;
}

bool heir_start(int heir, int handover)
{
    return packet_send(heir, "", 1, &handover, 1) == CHANNEL_OK;
}

bool heir_stop(int heir)
{
    return packet_send(heir, "", 1, NULL, 0) == CHANNEL_OK;
}

int heir_ended(int heir, int *status)
{
    struct packet_beside beside;
    ssize_t length = packet_receive(heir, status, sizeof(*status), &beside);
    if (length < 0)
        return packet_failed() == CHANNEL_AGAIN ? 0 : -1;
    packet_refuse(&beside);
    return length == sizeof(*status) ? 1 : -1;
}
