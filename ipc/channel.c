/*
 * One message, one packet, and nothing half received. See channel.h.
 */
#include "ipc/channel.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

void channel_begin(struct channel *channel, int fd)
{
    channel->fd = fd;
    channel->sent = 0;
    channel->received = 0;
}

bool channel_pair(int ends[2])
{
    static const int on = 1;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return false;
    if (setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0)
        return true;
    int saved = errno;
    close(ends[0]);
    close(ends[1]);
    errno = saved;
    return false;
}

enum channel_result channel_send(struct channel *channel, struct message *message, const int *fds)
{
    unsigned count = message_descriptors(message->type);

    message->version = MESSAGE_VERSION;
    message->sequence = channel->sent + 1;
    if (!message_valid(message, count))
        return packet_bad();
    enum channel_result result = packet_send(channel->fd, message, sizeof(*message), fds, count);
    if (result == CHANNEL_OK)
        channel->sent++; /* SOCK_SEQPACKET takes a message whole or not at all */
    return result;
}

enum channel_result channel_receive(struct channel *channel, uint32_t phase, struct received *out)
{
    struct message message;
    struct packet_beside beside;
    ssize_t length = packet_receive(channel->fd, &message, sizeof(message), &beside);

    if (length < 0)
        return packet_failed();
    bool good = length == sizeof(message) && !beside.odd && message_valid(&message, beside.count) &&
                message.sequence == channel->received + 1 && message_allowed(message.type, phase);
    if (!good) {
        packet_refuse(&beside);
        return length == 0 ? CHANNEL_CLOSED : packet_bad();
    }
    channel->received = message.sequence;
    out->message = message;
    out->pid = beside.pid;
    for (unsigned i = 0; i < MESSAGE_DESCRIPTORS_MAX; i++)
        out->fds[i] = i < beside.count ? beside.fds[i] : -1;
    return CHANNEL_OK;
}
