/*
 * The daemon's side of the control socket: a few clients in the daemon's loop, none of which can make it
 * wait.
 *
 * A client's request is checked by the table (control.h), handed to the daemon, and answered by as many
 * records as its socket takes at the time; the rest follows as it takes more. Where that was left off is a
 * number, not a copy: a client that never reads costs a place in this table and nothing else. When all places
 * are taken, the client that has been silent for longest gives way to a new one, root's last; a new one is
 * heard as soon as it is accepted, so that one that has asked by then is answered, however many come
 * together.
 */
#ifndef METAWARD_IPC_CONTROL_SERVER_H
#define METAWARD_IPC_CONTROL_SERVER_H

#include "ipc/control_peer.h"

#define CONTROL_CLIENTS_MAX 16

/* What the daemon does with requests that are valid and allowed. */
struct control_owner {
    /** What it is doing: one bit of enum control_phase. */
    uint8_t (*phase)(void);

    /**
     * Do what is asked, or see whether the records exist that are asked for.
     *
     * @param netns the descriptor that came with it, the daemon's from now on; -1: none
     * @param why   a constant string, where it is not met
     */
    enum control_code (*meet)(const struct control_request *request, int netns, uint8_t peer,
                              const char **why);

    /**
     * One record of the answer.
     *
     * @param cursor 0 at first; moved behind the record
     * @param reply  zero but for the version
     * @return false where there is none left
     */
    bool (*record)(const struct control_request *request, uint32_t *cursor, struct control_reply *reply);

    /** A CONTROL_LEASE was met: its connection is the daemon's from now on, also where its peer has gone
     * already.
     */
    void (*keep)(const struct control_request *request, int fd);
};

/**
 * Serve a socket from now on; the loop must have been made.
 *
 * @param fd as from control_listen()
 * @return false with errno set
 */
bool control_serve(int fd, gid_t group, const struct control_owner *owner);

/** Have newcomers wait, or let them in again. Clients that are there are served as ever. */
void control_hold(bool held);

/** The socket that newcomers come by; it stays the server's. */
int control_listener(void);

/** Somebody else serves the socket from now on: close it, and every client's connection. Nothing else here
 * may be called afterwards. */
void control_leave(void);

#endif
