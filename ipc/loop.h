/*
 * The loop of a process that waits for many descriptors and many times, with signals let in only while it
 * waits.
 *
 * epoll for the descriptors, a heap for the times: a turn costs by what is ready or due, not by what there is
 * to wait for. Nothing is allocated: a watch and a timer are part of whatever they belong to.
 */
#ifndef METAWARD_IPC_LOOP_H
#define METAWARD_IPC_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#define LOOP_TIMERS_MAX (2 * 16384 + 64) /* a network, a worker each, and a few of the program's */

struct watch {
    /* Called when the descriptor is ready; may be called once more after the descriptor was closed. */
    void (*ready)(struct watch *watch, uint32_t events);
};

struct timer {
    void (*run)(struct timer *timer); /* called once, when it is due */
    int64_t due;                      /* as clock_now() counts */
    uint32_t place;                   /* in the heap, counted from 1; 0: not set */
};

/** Make it. @return false with errno set */
bool loop_begin(void);

/**
 * Watch a descriptor, or change what it is watched for. Closing the descriptor ends it, where no other
 * process holds the same open file.
 *
 * @param events EPOLLIN, EPOLLOUT
 * @return false with errno set
 */
bool loop_watch(struct watch *watch, int fd, uint32_t events);

/** Watch a descriptor no longer. */
void loop_forget(int fd);

/** Have a timer run at `due`, or at another time than before; 0: not at all. */
void loop_timer(struct timer *timer, int64_t due);

/** Wait for the next event, time or signal, and call what is ready and due. @return false with errno set */
bool loop_turn(void);

#endif
