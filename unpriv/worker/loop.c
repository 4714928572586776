/*
 * The event base. See loop.h for the theory.
 *
 * libevent makes a pipe for signals as soon as the base exists. The worker has no signal events, so nothing
 * ever reads or writes it, and its two descriptors, the next numbers after epoll's, are closed again. The
 * base is never freed, for that would close those numbers a second time.
 */
#include "unpriv/worker/loop.h"

#include "policy/descriptors.h"
#include "unpriv/worker/arena.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

static struct arena arena;

static void *allocate(size_t bytes)
{
    return arena_allocate(&arena, bytes);
}

static void *resize(void *block, size_t bytes)
{
    return arena_resize(&arena, block, bytes);
}

static void release(void *block)
{
    arena_release(&arena, block);
}

/* libevent would print to stderr, which the worker does not have. Whatever went wrong, its caller is told
 * too. */
static void ignore_warning(int severity, const char *text)
{
    (void)severity, (void)text;
}

static void end(int error)
{
    (void)error;
    _exit(1);
}

bool loop_reserve(unsigned descriptors)
{
    size_t slots = 64;

    while (slots < descriptors)
        slots *= 2;
    /* For each descriptor number a small structure (a block of 32 bytes), and an array of pointers to them
     * that doubles (blocks of 16 times its length, the outgrown ones as much again); an array of ready events
     * that doubles up to 4096 of 12 bytes (128 KiB with the outgrown ones); a heap of a few timers, the base
     * itself. */
    return arena_reserve(&arena, slots * 64 + 262144);
}

static struct event_base *make_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (!config)
        return NULL;
    if (event_config_avoid_method(config, "select") == 0 && event_config_avoid_method(config, "poll") == 0 &&
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

struct event_base *loop_make(void)
{
    struct event_base *base;

    event_set_mem_functions(allocate, resize, release);
    event_set_log_callback(ignore_warning);
    event_set_fatal_callback(end);
    base = make_base();
    if (!base && errno == 0)
        errno = ENOMEM;
    if (!base || close(EPOLL_FD + 1) != 0 || close(EPOLL_FD + 2) != 0)
        return NULL;
    return base;
}
