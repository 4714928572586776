/*
 * See starter.h.
 */
#include "ipc/starter.h"

#include "ipc/report.h"
#include "ipc/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int starter = -1; /* the pipe to it */

int starter_leave(void)
{
    int ends[2];
    unsigned char status = STEP_DAEMONIZE;
    if (pipe2(ends, O_CLOEXEC) != 0)
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

bool starter_waits(void)
{
    return starter >= 0;
}

int starter_let_go(int status)
{
    unsigned char byte = (unsigned char)status;
    if (starter < 0)
        return 0;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; status == 0 && fd < 3; fd++) {
        if (null < 0 || dup2(null, fd) < 0)
            return report_failed(STEP_DAEMONIZE, errno, "/dev/null");
    }
    close(null);
    bool told = write(starter, &byte, 1) == 1;
    close(starter);
    starter = -1;
    return told ? 0 : report_failed(STEP_DAEMONIZE, EPIPE, "");
}
