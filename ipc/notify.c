/*
 * See notify.h.
 */
#include "ipc/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WATCHDOG_MOST_MS 3600000U /* an hour, halved: longer ones are told more often than they must be */

static struct sockaddr_un manager = {.sun_family = AF_UNIX};
static int64_t watchdog_ms;
static int manager_fd = -1;
static char name_variable[sizeof("NOTIFY_SOCKET=") + sizeof(manager.sun_path)];
static char interval_variable[sizeof("WATCHDOG_USEC=") + 20];
static char *variables[3];

void notify_remember(void)
{
    const char *name = getenv("NOTIFY_SOCKET"), *interval = getenv("WATCHDOG_USEC"),
               *pid = getenv("WATCHDOG_PID");
    char own[16];
    if (name != NULL && (name[0] == '/' || name[0] == '@') && strlen(name) < sizeof(manager.sun_path))
        memcpy(manager.sun_path, name, strlen(name));
    if (manager.sun_path[0] != '\0') {
        snprintf(name_variable, sizeof(name_variable), "NOTIFY_SOCKET=%s", name);
        variables[0] = name_variable;
    }
    snprintf(own, sizeof(own), "%d", (int)getpid());
    if (interval == NULL || (pid != NULL && strcmp(pid, own) != 0))
        return;
    for (const char *digit = interval; *digit >= '0' && *digit <= '9' && watchdog_ms < INT64_MAX / 100;
         digit++)
        watchdog_ms = watchdog_ms * 10 + (*digit - '0');
    watchdog_ms /= 2000; /* half of it, in milliseconds */
    if (watchdog_ms > WATCHDOG_MOST_MS)
        watchdog_ms = WATCHDOG_MOST_MS;
    snprintf(interval_variable, sizeof(interval_variable), "WATCHDOG_USEC=%lld",
             (long long)watchdog_ms * 2000);
    variables[variables[0] != NULL] = interval_variable;
}

char *const *notify_environment(void)
{
    return variables;
}

bool notify_open(void)
{
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(manager.sun_path));
    if (manager.sun_path[0] == '\0')
        return true;
    if (manager.sun_path[0] == '@')
        manager.sun_path[0] = '\0';
    manager_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (manager_fd >= 0 && connect(manager_fd, (const struct sockaddr *)&manager, length) == 0)
        return true;
    int error = errno;
    if (manager_fd >= 0)
        close(manager_fd);
    manager_fd = -1;
    errno = error;
    return false;
}

void notify_tell(const char *what)
{
    if (manager_fd >= 0)
        (void)!send(manager_fd, what, strlen(what), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void notify_successor(pid_t pid)
{
    char text[32];
    snprintf(text, sizeof(text), "MAINPID=%d", (int)pid);
    notify_tell(text);
    if (manager_fd >= 0)
        close(manager_fd);
    manager_fd = -1;
}

void notify_reloading(void)
{
    struct timespec now;
    char text[64];
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return;
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    notify_tell(text);
}

int64_t notify_watchdog_ms(void)
{
    return manager_fd >= 0 ? watchdog_ms : 0;
}
