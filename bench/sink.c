/*
 * Where log lines go: a datagram socket that is read, as a log daemon would read it.
 *
 * sink PATH
 *
 * It prints "ready", and each time it gets SIGUSR1 the number of datagrams so far; that says whether any were
 * dropped.
 */
#include "socket.h"

#include <signal.h>
#include <sys/signalfd.h>

#define BATCH 32
#define SPACE 2048

/* One system call for many lines where many wait: the less a sink takes from the processors, the better. */
static unsigned take(int fd)
{
    static char bytes[BATCH][SPACE];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH] = {0};
    int got;

    for (unsigned i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){.iov_base = bytes[i], .iov_len = SPACE};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    got = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
    if (got < 0 && errno != EAGAIN)
        fail("recvmmsg");
    return got < 0 ? 0 : (unsigned)got;
}

static int make_signals(void)
{
    sigset_t set;
    int fd;

    if (sigemptyset(&set) != 0 || sigaddset(&set, SIGUSR1) != 0 || sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        fail("sigprocmask");
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        fail("signalfd");
    return fd;
}

int main(int count, char **arguments)
{
    int epoll = make_epoll(), signals = make_signals(), fd;
    unsigned long total = 0;

    if (count != 2) {
        fprintf(stderr, "usage: sink PATH\n");
        return 2;
    }
    fd = unix_bound(arguments[1], SOCK_DGRAM | SOCK_CLOEXEC);
    watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, &fd);
    watch(epoll, EPOLL_CTL_ADD, signals, EPOLLIN, &signals);
    if (puts("ready") < 0 || fflush(stdout) != 0)
        return 1;
    for (;;) {
        struct signalfd_siginfo told;
        struct epoll_event event;
        int ready = epoll_wait(epoll, &event, 1, -1);

        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        if (ready == 1 && event.data.ptr == &fd)
            total += take(fd);
        else if (ready == 1 && read(signals, &told, sizeof(told)) == sizeof(told) &&
                 (printf("%lu\n", total) < 0 || fflush(stdout) != 0))
            return 1;
    }
}
