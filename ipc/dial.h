/*
 * The line between a worker and the dialer: how connections to an agent over TCP are asked for and handed
 * over.
 *
 * The worker sends one byte for each connection that it wants. The dialer answers each with one packet, in
 * the order of the asking: either a descriptor, a socket that does not block and whose connect() has begun,
 * or the errno for which there is none. No byte of a request or an answer ever goes over it. Each worker has
 * a line of its own, a SOCK_SEQPACKET pair made by the parent; so an answer can't reach another worker than
 * the one that has asked.
 */
#ifndef METAWARD_IPC_DIAL_H
#define METAWARD_IPC_DIAL_H

#include "ipc/packet.h"

/** Ask for a connection. CHANNEL_AGAIN: not before an answer has been received. */
enum channel_result dial_ask(int line);

/** Take an ask, which is exactly that one byte. */
enum channel_result dial_receive_ask(int line);

/**
 * Answer.
 *
 * @param fd    the socket, which stays the caller's; not looked at where there is an error
 * @param error errno, above 0, where there is no socket; else 0
 */
enum channel_result dial_answer(int line, int fd, int error);

/**
 * Take an answer. What is not one is refused whole, its descriptors closed.
 *
 * @param fd    the socket, the caller's from now on; -1 where there is none
 * @param error errno; 0 where there is a socket. Both are written only with CHANNEL_OK
 */
enum channel_result dial_receive_answer(int line, int *fd, int *error);

#endif
