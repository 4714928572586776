/*
 * The numbers of the descriptors that each child is born with. The filters pin some of them.
 */
#ifndef METAWARD_POLICY_DESCRIPTORS_H
#define METAWARD_POLICY_DESCRIPTORS_H

#define CHANNEL_FD 0 /* worker and nursery: SOCK_SEQPACKET to the parent */
#define LOG_FD     1 /* worker: SOCK_DGRAM, connected by the parent to the log */
#define EPOLL_FD   2 /* worker: made by libevent before confinement */

#define LINE_FD 3 /* worker of an agent over TCP: SOCK_SEQPACKET to the dialer (ipc/dial.h) */

/* dialer; its channel is at CHANNEL_FD too */
#define DIALER_LINE_FD 1 /* SOCK_SEQPACKET to the worker that is now */

/* nursery: the worker's executable, opened by the parent at start; not where a new worker's descriptors go */
#define NURSERY_EXECUTABLE_FD 2
#define NURSERY_READER_FD     3 /* the reader's, only in the nursery of a host's proxy or of the host daemon */

/* reader */
#define READER_FILE_FD   0 /* the configuration, open for reading */
#define READER_ANSWER_FD 1 /* SOCK_SEQPACKET to the parent */
#define READER_NEXT_FD   3 /* a host's: the file that came last, closed before the next one is asked for */

/* the holder of a lease: the connection to the host daemon, the network's namespace, what it holds, and where
 * they are needed, the process that waits for the start's end, and its pid file */
#define LEASE_CONTROL_FD 3
#define LEASE_NETNS_FD   4
#define LEASE_RECORD_FD  5
#define LEASE_STARTER_FD 6
#define LEASE_PIDFILE_FD 7

/* Sanitized builds only: where the sanitizers write their reports. Above every number that the parent uses at
 * that time, below the smallest limit of settings_descriptors(). */
#define REPORT_FD      31
#define REPORT_FD_NAME "31"

#endif
