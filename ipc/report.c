/*
 * The parent's lines. See report.h.
 */
#include "ipc/report.h"

#include "ipc/logsocket.h"
#include "ipc/steps.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_SIZE 512

/* Severities of RFC 3164 section 4.1.1. */
#define SEVERITY_ERROR   3U
#define SEVERITY_WARNING 4U

static const struct settings *log_settings; /* NULL until the start is done */
static int log_socket = -1;

void report_open(const struct settings *settings, int socket)
{
    log_settings = settings;
    log_socket = socket;
}

static enum log_target log_target(void)
{
    return log_settings != NULL ? log_settings->log_target : LOG_TO_STDERR;
}

/* What stands in front of the line: the priority for syslog (RFC 3164 lets the receiver add the time), and
 * who it is about, for many write to one log. Returns its length. */
static int put_head(char line[LINE_SIZE], unsigned severity, const char *before_start)
{
    char priority[8] = "";

    if (log_settings == NULL)
        return snprintf(line, LINE_SIZE, "%s: ", before_start);
    if (log_target() == LOG_TO_SYSLOG) {
        snprintf(priority, sizeof(priority), "<%u>", log_settings->log_facility * 8U + severity);
        if (log_settings->log_tag[0] != '\0')
            return snprintf(line, LINE_SIZE, "%s%s: ", priority, log_settings->log_tag);
    }
    return snprintf(line, LINE_SIZE, "%smetaward-%s: ", priority, log_settings->uuid);
}

static void put(char *line, int length)
{
    if (length < 0 || log_target() == LOG_TO_NONE)
        return;
    if (length >= LINE_SIZE)
        length = LINE_SIZE - 1;
    if (log_target() == LOG_TO_SYSLOG) {
        ssize_t sent = send(log_socket, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && logsocket_to_device(log_socket)) /* its daemon was restarted */
            (void)send(log_socket, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
        return; /* a lost log must not stop us */
    }
    if (log_settings != NULL && !logsocket_stderr_has_room())
        return;
    line[length] = '\n';
    (void)!write(STDERR_FILENO, line, (size_t)length + 1);
}

void report_event(const char *format, ...)
{
    char line[LINE_SIZE + 1];
    va_list arguments;
    int head = put_head(line, SEVERITY_WARNING, "metaward--");
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is two lines above */
    int body = vsnprintf(line + head, (size_t)(LINE_SIZE - head), format, arguments);
    va_end(arguments);
    put(line, body < 0 ? body : head + body);
}

void report_end(int pid, int status)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        report_event("event=worker-died pid=%d signal=SIGSYS why=\"a system call outside its policy\" "
                     "see=\"the kernel's line with type=1326: journalctl -k or the audit log\"",
                     pid);
    else if (WIFSIGNALED(status))
        report_event("event=worker-died pid=%d signal=SIG%s", pid, sigabbrev_np(WTERMSIG(status)));
    else
        report_event("event=worker-ended pid=%d status=%d", pid, WEXITSTATUS(status));
}

int report_failed(int step, int error, const char *subject)
{
    char line[LINE_SIZE + 1];
    int head = put_head(line, SEVERITY_ERROR, "metawardd");
    int body = snprintf(line + head, (size_t)(LINE_SIZE - head), "cannot %s%s%s%s%s: %s (exit status %d)",
                        step_what(step), subject[0] != '\0' ? ": " : "", subject, error != 0 ? ": " : "",
                        error != 0 ? errno_name(error) : "", step_advice(step), step);
    put(line, head + body);
    return step;
}
