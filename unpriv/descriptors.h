/*
 * The worker's descriptors by number. No others are open when it is confined.
 */
#ifndef METAWARD_UNPRIV_DESCRIPTORS_H
#define METAWARD_UNPRIV_DESCRIPTORS_H

#define CHANNEL_FD 0 /* SOCK_SEQPACKET to the parent */
#define LOG_FD     1 /* connected SOCK_DGRAM: one log line a datagram */
#define EPOLL_FD   2 /* libevent's */

#endif
