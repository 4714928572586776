/*
 * The parent's lines. See report.h.
 */
#include "ipc/report.h"

#include "ipc/logsocket.h"
#include "ipc/steps.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_SIZE 512

static const char *tag = "-";
static enum log_target target = LOG_TO_STDERR;
static int log_socket = -1;
static bool started;

void report_open(const char *uuid, enum log_target to, int socket)
{
    tag = uuid;
    target = to;
    log_socket = socket;
    started = true;
}

static void put(char *line, int length)
{
    if (length < 0 || target == LOG_TO_NONE)
        return;
    if (length >= LINE_SIZE)
        length = LINE_SIZE - 1;
    if (target == LOG_TO_SYSLOG) {
        ssize_t sent = send(log_socket, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && logsocket_to_device(log_socket)) /* its daemon was restarted */
            (void)send(log_socket, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
        return; /* a lost log must not stop us */
    }
    if (started && !logsocket_stderr_has_room())
        return;
    line[length] = '\n';
    (void)!write(STDERR_FILENO, line, (size_t)length + 1);
}

void report_event(const char *format, ...)
{
    char line[LINE_SIZE + 1];
    va_list arguments;
    /* 28: facility daemon, severity warning. RFC 3164 lets the receiver add the time. */
    int head = snprintf(line, LINE_SIZE, "%smetaward-%s: ", target == LOG_TO_SYSLOG ? "<28>" : "", tag);
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is two lines above */
    int body = vsnprintf(line + head, (size_t)(LINE_SIZE - head), format, arguments);
    va_end(arguments);
    put(line, body < 0 ? body : head + body);
}

int report_failed(int step, int error, const char *subject)
{
    char line[LINE_SIZE + 1];
    /* Once it has started, many write to one log: the line says which network it is about. */
    int length =
        snprintf(line, LINE_SIZE, "%s%s%s: cannot %s%s%s%s%s: %s (exit status %d)",
                 target == LOG_TO_SYSLOG ? "<27>" : "", started ? "metaward-" : "metawardd",
                 started ? tag : "", step_what(step), subject[0] != '\0' ? ": " : "", subject,
                 error != 0 ? ": " : "", error != 0 ? errno_name(error) : "", step_advice(step), step);
    put(line, length);
    return step;
}
