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

#define LINE_SIZE    512
#define WAITING_MOST 8

/* Severities of RFC 3164 section 4.1.1. */
#define SEVERITY_ERROR   3U
#define SEVERITY_WARNING 4U

static const struct settings *log_settings; /* NULL until the start is done */
static int log_socket = -1;                 /* -1: nothing waits for room in the log */

static int failures_socket = -1; /* where else failures are told; -1: nowhere */

/* Lines that the log had no room for. A worker that fills the log must not silence what is said of it. */
static struct {
    char line[LINE_SIZE + 1];
    int length;
} waiting[WAITING_MOST];
static unsigned waiting_count;

void report_open(const struct settings *settings)
{
    log_settings = settings;
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
    if (log_target() == LOG_TO_SYSLOG)
        snprintf(priority, sizeof(priority), "<%u>", log_settings->log_facility * 8U + severity);
    return snprintf(line, LINE_SIZE, "%s%s: ", priority, log_settings->log_tag);
}

static bool send_line(const char *line, int length)
{
    if (log_socket < 0 && (log_socket = logsocket_to_device()) < 0)
        return true;
    if (send(log_socket, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EAGAIN)
        return false;
    close(log_socket);
    log_socket = -1;
    return true;
}

/* @return false where there is no room now. A log that is gone does not stop us: its line is lost. */
static bool put_now(char *line, int length)
{
    if (log_target() == LOG_TO_SYSLOG)
        return send_line(line, length);
    if (log_settings != NULL && !logsocket_stderr_has_room())
        return false;
    line[length] = '\n';
    (void)!write(STDERR_FILENO, line, (size_t)length + 1);
    return true;
}

bool report_flush(void)
{
    while (waiting_count > 0 && put_now(waiting[0].line, waiting[0].length))
        memmove(waiting, waiting + 1, --waiting_count * sizeof(waiting[0]));
    return waiting_count == 0;
}

int report_waits_for(void)
{
    if (waiting_count == 0)
        return -1;
    return log_target() == LOG_TO_SYSLOG ? log_socket : STDERR_FILENO;
}

static void put(char *line, int length)
{
    if (length < 0 || log_target() == LOG_TO_NONE)
        return;
    if (length >= LINE_SIZE)
        length = LINE_SIZE - 1;
    if ((report_flush() && put_now(line, length)) || waiting_count == WAITING_MOST)
        return;
    memcpy(waiting[waiting_count].line, line, (size_t)length);
    waiting[waiting_count++].length = length;
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

void report_failures_to(int socket)
{
    failures_socket = socket;
}

/* Whoever waits for the start is not held up and does not hold us up: a line that can't be sent is lost. */
static void tell_starter(const char *text)
{
    char line[LINE_SIZE];
    int length = snprintf(line, sizeof(line), "metawardd: %s\n", text);
    if (length >= LINE_SIZE)
        length = LINE_SIZE - 1;
    (void)!send(failures_socket, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int report_failed(int step, int error, const char *subject)
{
    char line[LINE_SIZE + 1];
    int head = put_head(line, SEVERITY_ERROR, "metawardd");
    int body = snprintf(line + head, (size_t)(LINE_SIZE - head), "cannot %s%s%s%s%s: %s (exit status %d)",
                        step_what(step), subject[0] != '\0' ? ": " : "", subject, error != 0 ? ": " : "",
                        error != 0 ? errno_name(error) : "", step_advice(step), step);
    if (failures_socket >= 0)
        tell_starter(line + head);
    put(line, head + body);
    return step;
}
