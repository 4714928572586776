/*
 * The control socket, and who is at its other end.
 *
 * Who may connect is said by the socket's owner, group and mode; who it was is told by the kernel and by
 * nobody else. A peer is judged once, by what it was when it connected.
 */
#ifndef METAWARD_IPC_CONTROL_PEER_H
#define METAWARD_IPC_CONTROL_PEER_H

#include "ipc/control.h"

#include <sys/types.h>

#define CONTROL_NO_GROUP ((gid_t)-1)

struct control_who {
    pid_t pid;
    uid_t uid;
    uint8_t peer; /* enum control_peer, one bit; 0: nobody who may ask anything */
};

/**
 * Make the socket and listen: close-on-exec, non-blocking, mode 0600, so for root alone at first.
 *
 * What a daemon that is no more has left at the path is removed; the directory must be there. It is not
 * removed at the end: whoever finds it then is refused by the kernel, as if it were absent.
 *
 * @param path  absolute, shorter than SETTINGS_PATH_SIZE
 * @return a descriptor; -1 with errno set: EADDRINUSE where another daemon listens there, EEXIST where
 * something else is in its place
 */
int control_listen(const char *path);

/**
 * Give a socket's file to a group; its mode is the caller's business. Takes CAP_SETGID.
 *
 * @param file O_PATH descriptor of a UNIX socket of the caller's that has one name
 * @return false with errno set (EPERM: it is none)
 */
bool control_give(int file, gid_t group);

/** Ask the kernel who is connected. @return false with errno set */
bool control_judge(int fd, gid_t group, struct control_who *who);

#endif
