/*
 * See lease.h.
 */
#include "ipc/lease.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const struct sockaddr_un lease_daemon = {.sun_family = AF_UNIX, .sun_path = CONTROL_DEFAULT_PATH};

bool lease_describe(const struct config *config, struct network_spec *spec)
{
    memset(spec, 0, sizeof(*spec));
    if (config->listener_count > SPEC_LISTENERS_MAX)
        return false;
    spec->network = config->network;
    spec->listener_count = config->listener_count;
    memcpy(spec->listeners, config->listeners, config->listener_count * sizeof(spec->listeners[0]));
    return !settings_dialed(&config->worker) && network_spec_valid(spec) == NULL;
}

static bool is_daemon(int fd)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == 0;
}

int lease_connect(void)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    bool connected = connect(fd, (const struct sockaddr *)&lease_daemon, sizeof(lease_daemon)) == 0;
    if (connected && is_daemon(fd))
        return fd;
    int error = connected ? EPERM : errno;
    close(fd);
    errno = error;
    return -1;
}

enum channel_result lease_ask(int fd, const struct network_spec *spec, int netns)
{
    struct control_request request;
    control_request_begin(&request, CONTROL_LEASE);
    request.body.spec = *spec;
    return control_send(fd, &request, netns);
}

enum channel_result lease_answer(int fd, int wait_ms, struct control_reply *reply)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    struct timespec left = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000L};
    int ready;
    do {
        ready = ppoll(&polled, 1, &left, NULL);
    } while (ready < 0 && errno == EINTR);
    if (ready < 0)
        return CHANNEL_ERROR;
    return ready == 0 ? CHANNEL_AGAIN : control_reply_receive(fd, reply);
}
