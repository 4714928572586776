/*
 * One packet, one system call. See packet.h.
 *
 * The filters pin what is used here: recvmsg() with MSG_DONTWAIT | MSG_CMSG_CLOEXEC, and for sending sendto()
 * with MSG_NOSIGNAL | MSG_DONTWAIT and no address, which is what send() is. sendmsg() is called only for
 * packets that carry descriptors; those go from the parent, whose filter has it, and from metawardctl.
 */
#include "ipc/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_FLAGS    (MSG_NOSIGNAL | MSG_DONTWAIT)
#define RECEIVE_FLAGS (MSG_DONTWAIT | MSG_CMSG_CLOEXEC)

enum channel_result packet_bad(void)
{
    errno = EBADMSG;
    return CHANNEL_BAD;
}

enum channel_result packet_failed(void)
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

static ssize_t send_with_descriptors(int fd, const void *bytes, size_t size, const int *fds, unsigned count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(PACKET_FEW * sizeof(int))];
    } control = {0};
    struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size}; /* only read from */
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

enum channel_result packet_send(int fd, const void *bytes, size_t length, const int *fds, unsigned count)
{
    ssize_t sent;

    do {
        sent = count == 0 ? send(fd, bytes, length, SEND_FLAGS)
                          : send_with_descriptors(fd, bytes, length, fds, count);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? packet_failed() : CHANNEL_OK;
}

/*
 * Take over one part of what came beside a packet.
 */
static void look_beside(struct cmsghdr *part, struct packet_beside *beside)
{
    size_t length = part->cmsg_len - CMSG_LEN(0);

    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) {
        unsigned count = (unsigned)(length / sizeof(int));
        if (count > PACKET_DESCRIPTORS_MOST - beside->count)
            count = PACKET_DESCRIPTORS_MOST - beside->count;
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

/*
 * One packet, and what is beside it as far as there is room.
 *
 * A peer that closes with messages of ours unread leaves ECONNRESET behind, and the kernel tells that before
 * it hands out what the peer sent. Telling clears it: the next call gets the peer's last words (a MSG_FAILED,
 * say) or the end of file.
 */
static ssize_t receive(int fd, struct msghdr *header, void *room, size_t size)
{
    ssize_t length;

    do {
        header->msg_control = room;
        header->msg_controllen = size;
        length = recvmsg(fd, header, RECEIVE_FLAGS);
    } while (length < 0 && (errno == EINTR || errno == ECONNRESET));
    return length;
}

ssize_t packet_receive(int fd, void *bytes, size_t size, struct packet_beside *beside)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(PACKET_DESCRIPTORS_MOST * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec piece = {.iov_base = bytes, .iov_len = size};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
    ssize_t length = receive(fd, &header, control.bytes, sizeof(control.bytes));
    if (length < 0)
        return length;
    *beside = (struct packet_beside){.odd = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0};
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&header); part != NULL; part = CMSG_NXTHDR(&header, part))
        look_beside(part, beside);
    return length;
}

ssize_t packet_receive_alone(int fd, void *bytes, size_t size, bool *cut)
{
    struct iovec piece = {.iov_base = bytes, .iov_len = size};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
    ssize_t length = receive(fd, &header, NULL, 0);

    *cut = length >= 0 && (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    return length;
}

void packet_refuse(const struct packet_beside *beside)
{
    for (unsigned i = 0; i < beside->count; i++)
        close(beside->fds[i]);
}
