/*
 * The metadata agent of the benchmarks: it answers every request with the same 200 and closes, as real agents
 * do.
 *
 * agent SOCKET [BODY_BYTES]
 *
 * One thread over epoll, as little work as possible for each request: accept, one recv() of 4096 bytes (a
 * request must come in one piece), one send(), close. What is measured is the proxy, so this must never be
 * what is waited for. It prints "ready" once it listens.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG     4096
#define EVENTS      64
#define BODY_MOST   1048576
#define REQUEST_MAX 4096

static char answer[BODY_MOST + 256];
static size_t answer_length;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void make_answer(size_t body)
{
    int head = snprintf(answer, sizeof(answer),
                        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                        "Date: Sat, 01 Aug 2026 00:00:00 GMT\r\n\r\n",
                        body);

    if (head < 0)
        fail("snprintf");
    memset(answer + head, 'x', body);
    answer_length = (size_t)head + body;
}

static int listen_on(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fail("socket");
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        fail(path);
    }
    memcpy(address.sun_path, path, strlen(path));
    if (unlink(path) != 0 && errno != ENOENT)
        fail(path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, BACKLOG) != 0)
        fail(path);
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll_ctl");
}

/* The request is there as a rule by the time the connection is: then nothing needs to be watched. */
static void serve(int epoll, int fd, int accepted)
{
    char request[REQUEST_MAX];
    ssize_t got = recv(fd, request, sizeof(request), MSG_DONTWAIT);

    if (got < 0 && errno == EAGAIN && accepted) {
        watch(epoll, fd);
        return;
    }
    /* A blocking send: large answers wait for the proxy here. */
    if (got > 0 && send(fd, answer, answer_length, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
        fail("send");
    close(fd);
}

static void accept_all(int epoll, int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        serve(epoll, fd, 1);
    if (errno != EAGAIN)
        fail("accept4");
}

int main(int count, char **arguments)
{
    struct epoll_event events[EVENTS];
    unsigned long body = count > 2 ? strtoul(arguments[2], NULL, 10) : 64;
    int listener, epoll = epoll_create1(EPOLL_CLOEXEC);

    if (count < 2 || body > BODY_MOST) {
        fprintf(stderr, "usage: agent SOCKET [BODY_BYTES, at most %d]\n", BODY_MOST);
        return 2;
    }
    if (epoll < 0)
        fail("epoll_create1");
    make_answer(body);
    listener = listen_on(arguments[1]);
    watch(epoll, listener);
    if (puts("ready") < 0 || fflush(stdout) != 0)
        return 1;
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);

        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                serve(epoll, events[i].data.fd, 0);
        }
    }
}
