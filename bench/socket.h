/*
 * What the bench's programs share: ending with a reason, and their sockets.
 *
 * They are tools for one machine and a few minutes: whatever they did not expect ends them at once, with
 * errno's text, and so ends the bench. Only what belongs to the measurement (a refused connection, a broken
 * answer) is counted.
 */
#ifndef METAWARD_BENCH_SOCKET_H
#define METAWARD_BENCH_SOCKET_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S  1000000000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_US 1000ULL

static inline void fail(const char *what)
{
    perror(what);
    exit(1);
}

static inline uint64_t now_ns(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        fail("clock_gettime");
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* As many descriptors as the machine lets us have. */
static inline void allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("setrlimit");
}

static inline int make_epoll(void)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0)
        fail("epoll_create1");
    return epoll;
}

/* EPOLL_CTL_ADD or EPOLL_CTL_MOD. */
static inline void watch(int epoll, int operation, int fd, uint32_t events, void *what)
{
    struct epoll_event event = {.events = events, .data.ptr = what};

    if (epoll_ctl(epoll, operation, fd, &event) != 0)
        fail("epoll_ctl");
}

static inline struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        fail(path);
    }
    memcpy(address.sun_path, path, strlen(path));
    return address;
}

/* A socket bound to a path, in the place of whatever was there; `type` with its flags. */
static inline int unix_bound(const char *path, int type)
{
    struct sockaddr_un address = unix_address(path);
    int fd = socket(AF_UNIX, type, 0);

    if (fd < 0)
        fail("socket");
    if (unlink(path) != 0 && errno != ENOENT)
        fail(path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        fail(path);
    return fd;
}

/* "127.0.0.1:80", the address raised by `offset`. */
static inline struct sockaddr_in inet_address(const char *text, uint32_t offset)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon = strrchr(text, ':');
    char host[INET_ADDRSTRLEN] = "";

    if (colon && (size_t)(colon - text) < sizeof(host)) {
        memcpy(host, text, (size_t)(colon - text));
        address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    }
    if (address.sin_port == 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        errno = EINVAL;
        fail(text);
    }
    address.sin_addr.s_addr = htonl(ntohl(address.sin_addr.s_addr) + offset);
    return address;
}

#endif
