/*
 * Telling the service manager how the program is: one datagram a word (sd_notify(3)).
 *
 * The socket's name and the watchdog's interval come by the environment, so notify_remember() is called
 * before that is cleared, and notify_open() before a filter is loaded; then telling takes send() alone. Where
 * nobody wants to hear, all of this does nothing.
 */
#ifndef METAWARD_IPC_NOTIFY_H
#define METAWARD_IPC_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** Keep NOTIFY_SOCKET (a path, or '@' and an abstract name), and WATCHDOG_USEC where WATCHDOG_PID is us or
 * not given. */
void notify_remember(void);

/** Connect to the manager's socket. @return false with errno set */
bool notify_open(void);

/** Tell it, as "READY=1": several assignments stand on lines of their own. A manager that is gone is no
 * failure. */
void notify_tell(const char *what);

/** What notify_remember() has kept, as an environment for a successor. Constant; ended by NULL. */
char *const *notify_environment(void);

/** Tell it that another process is the service's main one from now on. The last that is told: what the
 * manager hears afterwards, it is to hear from that one. */
void notify_successor(pid_t pid);

/** Tell it RELOADING=1 and since when, as a notify-reload service must. */
void notify_reloading(void);

/** How often to tell it WATCHDOG=1, in milliseconds: half of what it waits for; 0: never. */
int64_t notify_watchdog_ms(void);

#endif
