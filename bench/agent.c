/*
 * The metadata agent of the bench: it answers every request with 200, and closes, as real agents do.
 *
 * agent SOCKET [--body BYTES] [--sizes FILE] [--delay-us N] [--backlog N] [--serial] [--keep-alive]
 *
 * One thread over epoll, as little work as possible for each request: accept, one recv() of 4096 bytes (a
 * request must come in one piece), one send(), close. What is measured is the proxy, so this must never be
 * what is waited for, unless it is told to be:
 *
 * --sizes FILE: lines "PATH BYTES"; a path that is named there has a body of that size.
 * --delay-us N: the answer goes out so long after the request came. All wait equally long, so a ring is
 * enough.
 * --serial: one connection after the other, the delay included, as agents do that have no threads.
 * --keep-alive: the connection stays for the next request.
 *
 * It prints "ready" once it listens.
 */
#include "socket.h"

#include <getopt.h>
#include <stdbool.h>

#define EVENTS      64
#define BODY_MOST   1048576
#define HEAD_MOST   256
#define REQUEST_MAX 4096
#define PATHS_MOST  64
#define WAITING     65536 /* a power of two */

struct path {
    char name[128];
    size_t length;
    size_t body;
};

struct waiting {
    int fd;
    uint64_t due;
    size_t body;
};

static struct {
    size_t body;
    uint64_t delay;
    int backlog;
    bool serial;
    bool keep_alive;
    struct path paths[PATHS_MOST];
    size_t path_count;
} options = {.body = 64, .backlog = 4096};

static int epoll;
static char body_bytes[BODY_MOST];
static struct waiting ring[WAITING];
static unsigned ring_first, ring_end;

static void read_sizes(const char *file)
{
    FILE *sizes = fopen(file, "re");
    struct path *path = options.paths;

    if (!sizes)
        fail(file);
    while (path < options.paths + PATHS_MOST && fscanf(sizes, "%127s %zu", path->name, &path->body) == 2) {
        path->length = strlen(path->name);
        path++;
    }
    options.path_count = (size_t)(path - options.paths);
    if (fclose(sizes) != 0)
        fail(file);
}

/* The size of the body that "GET PATH HTTP/1.1" asks for. */
static size_t body_for(const char *request, size_t length)
{
    const char *path = memchr(request, ' ', length);
    const char *end = path ? memchr(path + 1, ' ', length - (size_t)(path + 1 - request)) : NULL;

    if (!end || options.path_count == 0)
        return options.body;
    path++;
    for (size_t i = 0; i < options.path_count; i++) {
        if ((size_t)(end - path) == options.paths[i].length &&
            memcmp(path, options.paths[i].name, options.paths[i].length) == 0)
            return options.paths[i].body;
    }
    return options.body;
}

/* Head and body in one call; a blocking one, so large answers wait for the proxy here. */
static bool answer(int fd, size_t body)
{
    static char bytes[HEAD_MOST + BODY_MOST];
    int head = snprintf(bytes, HEAD_MOST,
                        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                        "Date: Sat, 01 Aug 2026 00:00:00 GMT\r\n\r\n",
                        body);

    if (head < 0)
        fail("snprintf");
    memcpy(bytes + head, body_bytes, body);
    if (send(fd, bytes, (size_t)head + body, MSG_NOSIGNAL) >= 0)
        return true;
    if (errno != EPIPE && errno != ECONNRESET)
        fail("send");
    return false;
}

/* The answer is due. A connection that stays is watched from its first wait for a request on. */
static void finish(int fd, size_t body)
{
    if (!answer(fd, body) || !options.keep_alive)
        close(fd);
}

static void put_off(int fd, size_t body)
{
    if (ring_end - ring_first == WAITING) {
        errno = ENOBUFS;
        fail("too many requests wait");
    }
    ring[ring_end++ % WAITING] = (struct waiting){.fd = fd, .due = now_ns() + options.delay, .body = body};
}

/* Data of an event is the descriptor itself. */
static void *tag(int fd)
{
    return (void *)(intptr_t)fd;
}

/* The request is there as a rule by the time the connection is: then nothing needs to be watched. */
static void serve(int fd, bool accepted)
{
    char request[REQUEST_MAX];
    ssize_t got = recv(fd, request, sizeof(request), MSG_DONTWAIT);

    if (accepted && (options.keep_alive || (got < 0 && errno == EAGAIN)))
        watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, tag(fd));
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        close(fd);
    else if (options.delay > 0)
        put_off(fd, body_for(request, (size_t)got));
    else
        finish(fd, body_for(request, (size_t)got));
}

static void accept_all(int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        serve(fd, true);
    if (errno != EAGAIN)
        fail("accept4");
}

/* Answer what is due. @return how long until the next is, NULL where nothing waits */
static const struct timespec *answer_due(void)
{
    static struct timespec left;
    uint64_t now = ring_first != ring_end ? now_ns() : 0;

    while (ring_first != ring_end) {
        const struct waiting *next = &ring[ring_first % WAITING];

        if (next->due > now) {
            left.tv_sec = (time_t)((next->due - now) / NS_PER_S);
            left.tv_nsec = (long)((next->due - now) % NS_PER_S);
            return &left;
        }
        ring_first++;
        finish(next->fd, next->body);
    }
    return NULL;
}

static void serve_many(int listener)
{
    struct epoll_event events[EVENTS];

    epoll = make_epoll();
    watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, tag(listener));
    for (;;) {
        int ready = epoll_pwait2(epoll, events, EVENTS, answer_due(), NULL);

        if (ready < 0 && errno != EINTR)
            fail("epoll_pwait2");
        for (int i = 0; i < ready; i++) {
            int fd = (int)(intptr_t)events[i].data.ptr;

            if (fd == listener)
                accept_all(listener);
            else
                serve(fd, false);
        }
    }
}

static void serve_one_by_one(int listener)
{
    const struct timespec delay = {(time_t)(options.delay / NS_PER_S), (long)(options.delay % NS_PER_S)};
    char request[REQUEST_MAX];

    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        ssize_t got;

        if (fd < 0)
            fail("accept4");
        got = recv(fd, request, sizeof(request), 0);
        if (got > 0) {
            if (nanosleep(&delay, NULL) != 0)
                fail("nanosleep");
            answer(fd, body_for(request, (size_t)got));
        }
        close(fd);
    }
}

static void read_options(int count, char **arguments)
{
    static const struct option names[] = {
        {"body", 1, NULL, 'b'},    {"sizes", 1, NULL, 's'},  {"delay-us", 1, NULL, 'd'},
        {"backlog", 1, NULL, 'l'}, {"serial", 0, NULL, '1'}, {"keep-alive", 0, NULL, 'k'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(count, arguments, "", names, NULL)) != -1) {
        switch (option) {
        case 'b':
            options.body = strtoul(optarg, NULL, 10);
            break;
        case 's':
            read_sizes(optarg);
            break;
        case 'd':
            options.delay = strtoull(optarg, NULL, 10) * NS_PER_US;
            break;
        case 'l':
            options.backlog = atoi(optarg);
            break;
        case '1':
            options.serial = true;
            break;
        case 'k':
            options.keep_alive = true;
            break;
        default:
            exit(2);
        }
    }
}

int main(int count, char **arguments)
{
    int listener;

    read_options(count, arguments);
    if (optind + 1 != count || options.body > BODY_MOST) {
        fprintf(stderr, "usage: agent SOCKET [options], see agent.c\n");
        return 2;
    }
    allow_descriptors();
    memset(body_bytes, 'x', sizeof(body_bytes));
    listener =
        unix_bound(arguments[optind], SOCK_STREAM | SOCK_CLOEXEC | (options.serial ? 0 : SOCK_NONBLOCK));
    if (listen(listener, options.backlog) != 0)
        fail("listen");
    if (puts("ready") < 0 || fflush(stdout) != 0)
        return 1;
    if (options.serial)
        serve_one_by_one(listener);
    else
        serve_many(listener);
}
