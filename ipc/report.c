/*
 * The parent's lines. See report.h.
 */
#include "ipc/report.h"

#include "ipc/logsocket.h"
#include "ipc/steps.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_SIZE    512
#define WAITING_MOST 8

static const char *tag = "-";
static enum log_target target = LOG_TO_STDERR;
static int log_socket = -1;
static bool started;

/* Lines that the log had no room for. A worker that fills the log must not silence what is said of it. */
static struct {
    char line[LINE_SIZE + 1];
    int length;
} waiting[WAITING_MOST];
static unsigned waiting_count;

void report_open(const char *uuid, enum log_target to, int socket)
{
    tag = uuid;
    target = to;
    log_socket = socket;
    started = true;
}

static bool send_line(const char *line, int length)
{
    return send(log_socket, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

/* @return false where there is no room now. A log that is gone does not stop us: its line is lost. */
static bool put_now(char *line, int length)
{
    if (target == LOG_TO_SYSLOG) {
        bool sent = send_line(line, length) ||
                    (errno != EAGAIN && logsocket_to_device(log_socket) && send_line(line, length));
        return sent || errno != EAGAIN;
    }
    if (started && !logsocket_stderr_has_room())
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
    return target == LOG_TO_SYSLOG ? log_socket : STDERR_FILENO;
}

static void put(char *line, int length)
{
    if (length < 0 || target == LOG_TO_NONE)
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
