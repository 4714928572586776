/*
 * One packet of a SOCK_SEQPACKET socket, and the descriptors that travel beside it.
 *
 * What the channel to a child and the control socket have in common: nothing is received in part. Receiving
 * is MSG_DONTWAIT | MSG_CMSG_CLOEXEC, there is room for as many descriptors as the kernel passes at most, so
 * that surplus ones are seen and closed, and a packet or a control part that was cut is told as such. Neither
 * function allocates or waits.
 */
#ifndef METAWARD_IPC_PACKET_H
#define METAWARD_IPC_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PACKET_DESCRIPTORS_MOST 253 /* SCM_MAX_FD in the kernel's include/net/scm.h */

enum channel_result {
    CHANNEL_OK = 0,
    CHANNEL_AGAIN,  /* nothing there, or no room (non-blocking use) */
    CHANNEL_CLOSED, /* the other side is gone */
    CHANNEL_BAD,    /* malformed, truncated, out of sequence or not allowed in this phase: errno is EBADMSG */
    CHANNEL_ERROR,  /* the system call failed: errno says how */
};

/* What came beside a packet. */
struct packet_beside {
    int fds[PACKET_DESCRIPTORS_MOST]; /* close-on-exec */
    unsigned count;
    pid_t pid; /* the sender as the kernel tells it (SO_PASSCRED); 0 where that is not on */
    bool odd;  /* a control message that nobody asked for, or something was cut */
};

/** What errno means after a packet could not be sent or received. */
enum channel_result packet_failed(void);

/** CHANNEL_BAD, with errno set. */
enum channel_result packet_bad(void);

/**
 * Send one packet.
 *
 * @param fds   `count` descriptors, which stay the caller's; may be NULL where there are none
 * @param count at most PACKET_FEW, which the caller sees to
 */
enum channel_result packet_send(int fd, const void *bytes, size_t length, const int *fds, unsigned count);

#define PACKET_FEW 6

/**
 * Receive one packet.
 *
 * @param bytes  `size` bytes; a packet that is longer is cut, which `beside` tells
 * @param beside filled in where the result is not negative; its descriptors are the caller's
 * @return its length, 0 where the other side is gone (or sent nothing), or -1 with errno set
 */
ssize_t packet_receive(int fd, void *bytes, size_t size, struct packet_beside *beside);

/**
 * Receive one packet of somebody whose descriptors are not wanted. The kernel lets go of them itself, and so
 * nothing waits: closing one can take as long as whoever serves its file likes.
 *
 * @param cut was the packet longer, or was there something beside it?
 * @return as packet_receive()
 */
ssize_t packet_receive_alone(int fd, void *bytes, size_t size, bool *cut);

/** Close the descriptors that came beside a packet. */
void packet_refuse(const struct packet_beside *beside);

#endif
