/*
 * libevent's event base, made to measure: epoll only, memory from a fixed reserve, no descriptor but epoll's.
 */
#ifndef METAWARD_UNPRIV_WORKER_LOOP_H
#define METAWARD_UNPRIV_WORKER_LOOP_H

#include <stdbool.h>

struct event_base;

/**
 * Reserve what libevent can need.
 *
 * @param descriptors the highest number of descriptors that will be open at one time
 * @return false with errno set
 */
bool loop_reserve(unsigned descriptors);

/** Make the event base. @return NULL with errno set */
struct event_base *loop_make(void);

#endif
