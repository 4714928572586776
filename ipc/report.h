/*
 * What the parent has to say: one line an event, to stderr until it has started, then to the log that was
 * chosen.
 */
#ifndef METAWARD_IPC_REPORT_H
#define METAWARD_IPC_REPORT_H

#include "ipc/settings.h"

#include <stdbool.h>

/**
 * From now on lines go to the log that the settings name, with their tag and facility: to descriptor 2, or
 * through a socket to /dev/log that is made for a line and kept no longer than lines are waiting.
 *
 * @param settings good as long as anything is reported
 */
void report_open(const struct settings *settings);

/** One line: "event=NAME ...", printf-like; longer than 511 bytes is cut. Never fails, never waits: where the
 * log has no room, a few lines are kept for report_flush(). */
void report_event(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Lines of report_failed() go there as well, a datagram or packet each, as they would go to stderr; -1: no
 * more. */
void report_failures_to(int socket);

/** How a worker ended: event=worker-died or worker-ended, from a status as wait4() gives it. */
void report_end(int pid, int status);

/** Write the lines that were kept. @return false where some are still waiting */
bool report_flush(void);

/** The descriptor that takes what is waiting, once it is writable; -1 where nothing waits. */
int report_waits_for(void);

/**
 * One line that says what failed, on what, with which errno, and what to do.
 *
 * @param step    enum step
 * @param error   errno, or 0 where the kernel was not asked
 * @param subject the file, address or name it was about; "" where there is none
 * @return the step, which is the exit status
 */
int report_failed(int step, int error, const char *subject);

#endif
