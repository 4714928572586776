/*
 * Sending and receiving messages with their descriptors.
 *
 * One sendmsg() or recvmsg() a message. Receiving is MSG_CMSG_CLOEXEC, a truncated message or control part is
 * an error, surplus descriptors are closed before anything else is looked at, and a message that does not
 * validate is an error whose descriptors are closed as well: the caller gets a whole good message or nothing.
 * Neither function allocates.
 */
#ifndef METAWARD_IPC_CHANNEL_H
#define METAWARD_IPC_CHANNEL_H

#include "ipc/message.h"
#include "ipc/packet.h"

#include <sys/types.h>

struct channel {
    int fd;
    uint32_t sent;     /* sequence number of the last message sent */
    uint32_t received; /* sequence number of the last message received */
};

struct received {
    struct message message;
    int fds[MESSAGE_DESCRIPTORS_MAX]; /* close-on-exec, the caller's from now on; -1 where there is none */
    pid_t pid; /* the sender as the kernel tells it (SO_PASSCRED); 0 where that is not on */
};

/** Take an open SOCK_SEQPACKET descriptor into use; the sequence numbers start anew. The channel does not own
 * it. */
void channel_begin(struct channel *channel, int fd);

/**
 * Make a connected pair: both ends close-on-exec and non-blocking, SO_PASSCRED on the first.
 *
 * @return false with errno set
 */
bool channel_pair(int ends[2]);

/**
 * Send one message; the sequence number and version are filled in here.
 *
 * @param fds as many descriptors as message_descriptors() says for the type; they stay the caller's
 */
enum channel_result channel_send(struct channel *channel, struct message *message, const int *fds);

/**
 * Receive one message that is valid, in sequence and allowed in `phase`.
 *
 * Flags are MSG_DONTWAIT | MSG_CMSG_CLOEXEC always, so that the filter can pin them; wait with ppoll() or
 * epoll.
 *
 * @param out filled only where CHANNEL_OK is returned
 */
enum channel_result channel_receive(struct channel *channel, uint32_t phase, struct received *out);

#endif
