/*
 * One message, one system call, and nothing half received. See channel.h.
 *
 * The filters pin what is used here: recvmsg() with MSG_DONTWAIT | MSG_CMSG_CLOEXEC, and for sending sendto()
 * with MSG_NOSIGNAL | MSG_DONTWAIT and no address, which is what send() is. sendmsg() is called only for
 * messages that carry descriptors; those go from the parent, whose filter has it.
 */
#include "ipc/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_FLAGS    (MSG_NOSIGNAL | MSG_DONTWAIT)
#define RECEIVE_FLAGS (MSG_DONTWAIT | MSG_CMSG_CLOEXEC)

/*
 * The kernel passes at most this many descriptors with one message (SCM_MAX_FD in include/net/scm.h). With
 * room for all of them, whatever a hostile sender adds is seen, counted and closed here.
 */
#define RIGHTS_MOST 253

/* What came beside a message. */
struct beside {
    int fds[RIGHTS_MOST];
    unsigned count;
    pid_t pid;
    bool odd; /* a control message that nobody asked for */
};

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

static enum channel_result bad(void)
{
    errno = EBADMSG;
    return CHANNEL_BAD;
}

/* What errno means after a system call on the channel. */
static enum channel_result failed(void)
{
    switch (errno) {
    case EAGAIN:
        return CHANNEL_AGAIN;
    case EPIPE:
    case ECONNRESET:
        return CHANNEL_CLOSED;
    default:
        return CHANNEL_ERROR;
    }
}

static ssize_t send_with_descriptors(int fd, struct message *message, const int *fds, unsigned count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(MESSAGE_DESCRIPTORS_MAX * sizeof(int))];
    } control = {0};
    struct iovec piece = {.iov_base = message, .iov_len = sizeof(*message)};
    struct msghdr header = {.msg_iov = &piece,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    /* cppcheck-suppress ctunullpointer ; without descriptors this function is not called */
    memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    return sendmsg(fd, &header, SEND_FLAGS);
}

enum channel_result channel_send(struct channel *channel, struct message *message, const int *fds)
{
    unsigned count = message_descriptors(message->type);
    ssize_t sent;

    message->version = MESSAGE_VERSION;
    message->sequence = channel->sent + 1;
    if (!message_valid(message, count))
        return bad();
    do {
        sent = count == 0 ? send(channel->fd, message, sizeof(*message), SEND_FLAGS)
                          : send_with_descriptors(channel->fd, message, fds, count);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return failed();
    channel->sent++; /* SOCK_SEQPACKET takes a message whole or not at all */
    return CHANNEL_OK;
}

/* Take over descriptors and credentials from the control part. */
static void look_beside(struct msghdr *header, struct beside *beside)
{
    beside->count = 0;
    beside->pid = 0;
    beside->odd = false;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL; part = CMSG_NXTHDR(header, part)) {
        size_t length = part->cmsg_len - CMSG_LEN(0);
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) {
            unsigned count = (unsigned)(length / sizeof(int));
            if (count > RIGHTS_MOST - beside->count)
                count = RIGHTS_MOST - beside->count;
            memcpy(beside->fds + beside->count, CMSG_DATA(part), count * sizeof(int));
            beside->count += count;
        } else if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_CREDENTIALS &&
                   length == sizeof(struct ucred)) {
            struct ucred who;
            memcpy(&who, CMSG_DATA(part), sizeof(who));
            beside->pid = who.pid;
        } else {
            beside->odd = true;
        }
    }
}

/*
 * One recvmsg(); returns its result, with the descriptors in `beside` where it was not negative.
 *
 * A peer that closes with messages of ours unread leaves ECONNRESET behind, and the kernel tells that before
 * it hands out what the peer sent. Telling clears it: the next call gets the peer's last words (a MSG_FAILED,
 * say) or the end of file.
 */
static ssize_t receive_raw(int fd, struct message *message, struct beside *beside, int *flags)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(RIGHTS_MOST * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec piece = {.iov_base = message, .iov_len = sizeof(*message)};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
    ssize_t length;

    do {
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof(control.bytes);
        length = recvmsg(fd, &header, RECEIVE_FLAGS);
    } while (length < 0 && (errno == EINTR || errno == ECONNRESET));
    if (length < 0)
        return length;
    look_beside(&header, beside);
    *flags = header.msg_flags;
    return length;
}

enum channel_result channel_receive(struct channel *channel, uint32_t phase, struct received *out)
{
    struct message message;
    struct beside beside;
    int flags;
    ssize_t length = receive_raw(channel->fd, &message, &beside, &flags);

    if (length < 0)
        return failed();
    bool good = length == sizeof(message) && (flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && !beside.odd &&
                message_valid(&message, beside.count) && message.sequence == channel->received + 1 &&
                message_allowed(message.type, phase);
    if (!good) {
        for (unsigned i = 0; i < beside.count; i++)
            close(beside.fds[i]);
        return length == 0 ? CHANNEL_CLOSED : bad();
    }
    channel->received = message.sequence;
    out->message = message;
    out->pid = beside.pid;
    for (unsigned i = 0; i < MESSAGE_DESCRIPTORS_MAX; i++)
        out->fds[i] = i < beside.count ? beside.fds[i] : -1;
    return CHANNEL_OK;
}
