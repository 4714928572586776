/*
 * The reader's start and its answer. See reading.h.
 */
#include "priv/reading.h"

#include "ipc/answer.h"
#include "ipc/report.h"
#include "ipc/steps.h"
#include "policy/confine.h"
#include "policy/trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READER_MOST_MS 5000

/* In the child: nobody, with the file as 0, our channel as 1 and nothing as 2. Returns only where that
 * failed. */
static int become_reader(int executable, int file, int channel)
{
    char *const arguments[] = {"metaward-reader", NULL};
    char *const environment[] = {NULL};
    int step = confine_helper();
    if (step != 0)
        return step;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup3(file, 0, 0) < 0 || dup3(channel, 1, 0) < 0 || dup3(null, 2, 0) < 0)
        return STEP_DESCRIPTORS;
    syscall(SYS_execveat, executable, "", arguments, environment,
            AT_EMPTY_PATH); /* all others are close-on-exec */
    return STEP_EXEC;
}

int reading_fetch(const char *path, struct reading *out)
{
    static const char reader[] = METAWARD_LIBEXECDIR "/metaward-reader";
    int ends[2], status = 0;
    int executable = trusted_executable(reader);
    if (executable < 0)
        return report_failed(STEP_WORKER_EXECUTABLE, errno, reader);
    int file = trusted_regular(path, READING_FILE_MAX);
    if (file < 0)
        return report_failed(STEP_CONFIGURATION, errno, path);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return report_failed(STEP_READER, errno, "");
    pid_t pid = fork();
    if (pid == 0)
        _exit(become_reader(executable, file, ends[1]));
    close(ends[1]);
    close(file);
    close(executable);
    bool received = pid > 0 && answer_await(ends[0], READER_MOST_MS, out);
    int error = errno;
    close(ends[0]);
    if (pid > 0 && (kill(pid, SIGKILL) != 0 || waitpid(pid, &status, 0) != pid))
        return report_failed(STEP_READER, errno, "");
    if (received)
        return 0;
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? report_failed(WEXITSTATUS(status), 0, "reader")
                                                         : report_failed(STEP_READER, error, "reader");
}
