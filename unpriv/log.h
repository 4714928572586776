/*
 * The worker's log: one line, one datagram, no formatting library and no memory but a fixed buffer.
 *
 * A line is "name=value" pairs behind a head that says when and who. For syslog the head is that of RFC 3164
 * as rsyslog and journald read it from /dev/log ("<30>Aug  5 12:00:00 metaward-UUID: ", or with the facility
 * and the tag of the settings), for stderr it starts with the time of ISO 8601. Whatever a guest chose is
 * written in quotes, with every byte that is not plain printable ASCII as \xNN, and bounded in length, so a
 * line can be neither forged nor flooded. Lines that the log's reader has no room for are counted, and the
 * count is told in front of the next line that gets through.
 */
#ifndef METAWARD_UNPRIV_LOG_H
#define METAWARD_UNPRIV_LOG_H

#include "ipc/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_TEXT_MAX 512 /* bytes of one escaped value; what is longer ends with "..." */

/* Severities as syslog numbers them (RFC 3164 section 4.1.1). */
enum log_severity { LOG_SEVERITY_WARNING = 4, LOG_SEVERITY_NOTICE = 5, LOG_SEVERITY_INFO = 6 };

/** Take target, level, facility, time zone and general tag from the settings. Before anything is logged;
 * nothing is kept by reference. */
void log_begin(const struct settings *settings);

/**
 * Be told when the log's reader is gone, so that the socket can be connected again.
 *
 * @param broken called with errno, at most once a second; NULL for nobody
 */
void log_on_broken(void (*broken)(int error));

/** Send to another socket from now on, and close the one so far. @param socket becomes the log's own */
void log_replace(int socket);

/** Is a line of this severity wanted at all? Lets the caller skip the work of making it. */
bool log_wants(enum log_severity severity);

/**
 * Start a line that concerns no network in particular. Lines can't be nested: there is one buffer.
 *
 * @param event a stable id, lower case with dashes (docs/operation.md lists them)
 */
void log_line(enum log_severity severity, const char *event);

/** Start a line under a network's name (network_log_name()). */
void log_network_line(enum log_severity severity, const char *event, const char *name);

/** Append name=value with a value of our own: never quoted, so without blanks. */
void log_word(const char *name, const char *value);

/** Append name=number. */
void log_number(const char *name, uint64_t number);

/** Append name="value" with a value that anyone may have chosen; escaped and bounded. Of no bytes: name=-. */
void log_text(const char *name, const char *bytes, size_t length);

/** Send the line. Never waits. */
void log_send(void);

#endif
