/*
 * See loop.h.
 */
#include "ipc/loop.h"

#include "ipc/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>

#define EVENTS_AT_ONCE 64

static int epoll_fd = -1;
static struct timer *heap[1 + LOOP_TIMERS_MAX]; /* from 1; children of i are 2i and 2i + 1 */
static uint32_t count;

bool loop_begin(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll_fd >= 0;
}

bool loop_watch(struct watch *watch, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0)
        return true;
    return errno == ENOENT && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

void loop_forget(int fd)
{
    (void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* ENOENT: it was not watched */
}

static void put(uint32_t place, struct timer *timer)
{
    heap[place] = timer;
    timer->place = place;
}

/* Move a timer from its place up or down to where its time belongs. */
static void settle(struct timer *timer)
{
    uint32_t place = timer->place;
    for (; place > 1 && heap[place / 2]->due > timer->due; place /= 2)
        put(place, heap[place / 2]);
    for (uint32_t child = 2 * place; child <= count; place = child, child *= 2) {
        if (child < count && heap[child + 1]->due < heap[child]->due)
            child++;
        if (heap[child]->due >= timer->due)
            break;
        put(place, heap[child]);
    }
    put(place, timer);
}

static void unset(struct timer *timer)
{
    struct timer *last = heap[count--];
    if (last != timer) {
        last->place = timer->place;
        settle(last);
    }
    timer->place = 0;
}

void loop_timer(struct timer *timer, int64_t due)
{
    if (timer->place != 0 && timer->due == due)
        return;
    if (timer->place != 0)
        unset(timer);
    if (due == 0 || count == LOOP_TIMERS_MAX)
        return;
    timer->due = due;
    timer->place = ++count;
    settle(timer);
}

static int wait_ms(void)
{
    if (count == 0)
        return -1;
    int64_t left = heap[1]->due - clock_now();
    if (left <= 0)
        return 0;
    return left < 1000000 ? (int)left : 1000000;
}

bool loop_turn(void)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    sigset_t none;
    sigemptyset(&none);
    int ready = epoll_pwait(epoll_fd, events, EVENTS_AT_ONCE, wait_ms(), &none);
    if (ready < 0 && errno != EINTR)
        return false;
    if (ready > 0) /* then no signal was let in: a peer that never stops talking must not keep them out */
        ppoll(NULL, 0, &(const struct timespec){0, 0}, &none);
    for (int i = 0; i < ready; i++) {
        struct watch *watch = events[i].data.ptr;
        watch->ready(watch, events[i].events);
    }
    for (int64_t now = clock_now(); count > 0 && heap[1]->due <= now;) {
        struct timer *timer = heap[1];
        unset(timer);
        timer->run(timer);
    }
    return true;
}
