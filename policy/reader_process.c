/*
 * The reader's start and end. See reader_process.h.
 */
#include "policy/reader_process.h"

#include "ipc/report.h"
#include "ipc/steps.h"
#include "policy/confine.h"
#include "policy/descriptors.h"
#include "policy/trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: nobody, with the file as 0, or our channel where files follow over it, the channel as 1 and
 * nothing as 2. Returns only where that failed. */
static int become_reader(int executable, int file, int channel)
{
    char *const arguments[] = {"metaward-reader", NULL};
    char *const environment[] = {NULL};
    int null =
        open("/dev/null", O_RDWR | O_CLOEXEC); /* first: it may be a number beyond the reader's limit */
    int step = confine_helper();
    if (step != 0)
        return step;
    if (null < 0 || dup3(file < 0 ? channel : file, READER_FILE_FD, 0) < 0 ||
        dup3(channel, READER_ANSWER_FD, 0) < 0 || dup3(null, STDERR_FILENO, 0) < 0)
        return STEP_DESCRIPTORS;
    syscall(SYS_execveat, executable, "", arguments, environment,
            AT_EMPTY_PATH); /* all others are close-on-exec */
    return STEP_EXEC;
}

int reader_start(int file, struct reader_process *out)
{
    static const char reader[] = METAWARD_LIBEXECDIR "/metaward-reader";
    int ends[2];
    int executable = trusted_executable(reader);
    if (executable < 0)
        return report_failed(STEP_WORKER_EXECUTABLE, errno, reader);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        int error = errno;
        close(executable);
        return report_failed(STEP_READER, error, "");
    }
    *out = (struct reader_process){fork(), ends[0]};
    if (out->pid == 0)
        _exit(become_reader(executable, file, ends[1]));
    int error = errno;
    close(ends[1]);
    close(executable);
    if (out->pid > 0)
        return 0;
    close(ends[0]);
    return report_failed(STEP_READER, error, "");
}

int reader_end(const struct reader_process *reader, int *status)
{
    close(reader->channel);
    if (kill(reader->pid, SIGKILL) != 0 || waitpid(reader->pid, status, 0) != reader->pid)
        return report_failed(STEP_READER, errno, "");
    return 0;
}

int reader_failed(int status, int error)
{
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? report_failed(WEXITSTATUS(status), 0, "reader")
                                                         : report_failed(STEP_READER, error, "reader");
}
