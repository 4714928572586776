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

static int starter = -1; /* the way to it */

int starter_leave(int lost)
{
    int ends[2];
    unsigned char status = (unsigned char)lost;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return report_failed(STEP_DAEMONIZE, errno, "");
    pid_t child = fork();
    if (child > 0) {
        close(ends[1]);
        if (read(ends[0], &status, 1) != 1)
            report_failed(STEP_DAEMONIZE, 0, "the process in the background ended");
        _exit(status);
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

int starter_let_go(int status)
{
    unsigned char byte = (unsigned char)status;
    if (starter < 0)
        return 0;
    bool told = send(starter, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
    close(starter);
    starter = -1;
    return told ? 0 : report_failed(STEP_DAEMONIZE, EPIPE, "");
}
