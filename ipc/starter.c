/*
 * See starter.h.
 */
#include "ipc/starter.h"

#include "ipc/report.h"
#include "ipc/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MOST 1024

static int starter = -1; /* the way to it: a packet of one byte is the status, a longer one a line */

/* What the process does that was started. */
static _Noreturn void wait_in_front(int socket, unsigned char status)
{
    char packet[LINE_MOST];
    ssize_t length;
    while ((length = recv(socket, packet, sizeof(packet), 0)) > 1)
        (void)!write(STDERR_FILENO, packet, (size_t)length);
    if (length == 1)
        status = (unsigned char)packet[0];
    else
        report_failed(STEP_DAEMONIZE, 0, "the process in the background ended");
    _exit(status);
}

int starter_leave(int lost)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return report_failed(STEP_DAEMONIZE, errno, "");
    pid_t child = fork();
    if (child > 0) {
        close(ends[1]);
        wait_in_front(ends[0], (unsigned char)lost);
    }
    if (child < 0 || setsid() < 0)
        return report_failed(STEP_DAEMONIZE, errno, "");
    close(ends[0]);
    child = fork();
    if (child > 0)
        _exit(0);
    starter = ends[1];
    return child == 0 ? 0 : report_failed(STEP_DAEMONIZE, errno, "");
}

int starter_leave_terminal(void)
{
    if (starter < 0)
        return 0;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++) {
        if (null < 0 || dup2(null, fd) < 0)
            return report_failed(STEP_DAEMONIZE, errno, "/dev/null");
    }
    close(null);
    report_failures_to(starter);
    return 0;
}

bool starter_waits(void)
{
    return starter >= 0;
}

int starter_descriptor(void)
{
    return starter;
}

void starter_moved(int fd)
{
    if (starter < 0)
        return;
    starter = fd;
    report_failures_to(fd);
}

int starter_let_go(int status)
{
    unsigned char byte = (unsigned char)status;
    if (starter < 0)
        return 0;
    report_failures_to(-1);
    bool told = send(starter, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
    close(starter);
    starter = -1;
    return told ? 0 : report_failed(STEP_DAEMONIZE, EPIPE, "");
}
