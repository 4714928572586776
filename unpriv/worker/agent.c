/*
 * Reaching the agent. See agent.h for the theory.
 */
#include "unpriv/worker/agent.h"

#include "ipc/steps.h"
#include "unpriv/backend.h"
#include "unpriv/log.h"
#include "unpriv/worker/connection.h"

#include <errno.h>
#include <string.h>

enum agent_state { AGENT_REACHED, AGENT_ABSENT, AGENT_FORBIDDEN };

static void remember(enum agent_state state, int error)
{
    static enum agent_state last = AGENT_REACHED;
    static const char *const events[] = {[AGENT_REACHED] = "agent-back",
                                         [AGENT_ABSENT] = "agent-absent",
                                         [AGENT_FORBIDDEN] = "agent-forbidden"};
    const char *path = service.settings.backend;

    if (state == last)
        return;
    last = state;
    if (!log_wants(LOG_SEVERITY_WARNING))
        return;
    log_line(LOG_SEVERITY_WARNING, events[state]);
    log_text(settings_dialed(&service.settings) ? "address" : "socket", path, strlen(path));
    if (state != AGENT_REACHED)
        log_word("error", errno_name(error));
    if (state == AGENT_FORBIDDEN)
        log_word("advice", settings_dialed(&service.settings)
                               ? "let-the-host's-packet-filter-pass-connections-to-it"
                               : "let-the-worker's-user-write-to-the-socket-and-search-its-directory");
    log_send();
}

bool agent_is_forbidden(int error)
{
    return error == EACCES || error == EPERM;
}

/* Of a UNIX socket the first two, of TCP all but the first: what connect() tells, at once or later. */
static bool is_absent(int error)
{
    return error == ENOENT || error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH ||
           error == EHOSTDOWN || error == ENETDOWN || error == ETIMEDOUT;
}

void agent_unreached(int error)
{
    if (is_absent(error))
        remember(AGENT_ABSENT, error);
    else if (agent_is_forbidden(error))
        remember(AGENT_FORBIDDEN, error);
}

enum agent_progress agent_try(int fd, const char *request, size_t length, size_t *sent)
{
    ssize_t got = sendto(fd, request, length, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
    int error = errno;

    if (got < 0 && (error == EAGAIN || error == EINTR))
        return AGENT_CONNECTING;
    if (got < 0 && (is_absent(error) || agent_is_forbidden(error))) {
        agent_unreached(error);
        errno = error;
        return AGENT_UNREACHED;
    }
    remember(AGENT_REACHED, 0);
    *sent = got >= 0 ? (size_t)got : length; /* it stood, and the agent has closed it since */
    return AGENT_CONNECTED;
}

size_t agent_send(int fd, const char *request, size_t length)
{
    ssize_t sent = sendto(fd, request, length, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);

    if (sent >= 0)
        return (size_t)sent;
    return errno == EAGAIN || errno == EINTR ? 0 : length;
}

int agent_ask(const char *request, size_t length, size_t *sent)
{
    int fd = backend_connect();

    if (fd < 0) {
        int error = errno;

        agent_unreached(error);
        errno = error;
        return -1;
    }
    remember(AGENT_REACHED, 0);
    *sent = agent_send(fd, request, length);
    return fd;
}
