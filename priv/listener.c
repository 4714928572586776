/*
 * Listeners: sockets made inside a tenant's network namespace by a process that lives outside.
 */
#include "ipc/pidfile.h"
#include "ipc/report.h"
#include "ipc/steps.h"
#include "priv/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAKE_OVER_TRIES    500 /* for another instance that was told to end to give its addresses back */
#define TAKE_OVER_PAUSE_MS 10

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

static bool set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

static bool bind_ipv4(int fd, const struct address *address)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    memcpy(&sa.sin_addr, address->ip, sizeof(sa.sin_addr));
    return bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0;
}

static bool bind_ipv6(int fd, const struct address *address)
{
    struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    memcpy(&sa.sin6_addr, address->ip, sizeof(sa.sin6_addr));
    bool any = IN6_IS_ADDR_UNSPECIFIED(&sa.sin6_addr);
    if (address->interface[0] != '\0' && (sa.sin6_scope_id = if_nametoindex(address->interface)) == 0)
        return false;
    return set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, any ? 0 : 1) &&
           set_option(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1) &&
           bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0;
}

static bool set_up(int fd, const struct address *address)
{
    const char *interface = address->interface;
    if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) || !set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1))
        return false;
    if (interface[0] != '\0' &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) != 0)
        return false;
    if (!(address->family == ADDRESS_IPV4 ? bind_ipv4(fd, address) : bind_ipv6(fd, address)))
        return false;
    return listen(fd, SOMAXCONN) == 0;
}

/* Where the address is taken, the pid file may know by whom. */
static int refused(const struct config *config, const struct address *address)
{
    int error = errno;
    char text[ADDRESS_TEXT_SIZE], subject[ADDRESS_TEXT_SIZE + 48];
    address_format(address, text);
    pid_t holder = error == EADDRINUSE && config->pid_file[0] != '\0' ? pidfile_holder(config->pid_file) : 0;
    if (holder > 0)
        snprintf(subject, sizeof(subject), "%s, which process %d has", text, (int)holder);
    return report_failed(STEP_LISTEN, error, holder > 0 ? subject : text);
}

static int open_all(const struct config *config, struct prepared *out)
{
    for (unsigned i = 0; i < config->listener_count; i++) {
        const struct address *address = &config->listeners[i];
        int family = address->family == ADDRESS_IPV4 ? AF_INET : AF_INET6;
        unsigned tries = config->takes_over ? TAKE_OVER_TRIES : 1;
        out->listeners[i] = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        bool good = out->listeners[i] >= 0 && set_up(out->listeners[i], address);
        while (!good && errno == EADDRINUSE && --tries > 0) {
            poll(NULL, 0, TAKE_OVER_PAUSE_MS);
            good = set_up(out->listeners[i], address);
        }
        if (!good)
            return refused(config, address);
    }
    return 0;
}

static bool same_namespace(int a, int b)
{
    struct stat sa, sb;
    return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

/* Go in, make the sockets, come back, and make sure that we are back. */
static int open_inside(const struct config *config, struct prepared *out, int home, int inside,
                       const char *path)
{
    if (setns(inside, CLONE_NEWNET) != 0)
        return report_failed(STEP_NETNS_ENTER, errno, path);
    int step = open_all(config, out);
    if (setns(home, CLONE_NEWNET) != 0)
        return report_failed(STEP_NETNS_ENTER, errno, path);
    int now = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    bool back = now >= 0 && same_namespace(now, home);
    close(now);
    return back || step != 0 ? step : report_failed(STEP_NETNS_ENTER, EXDEV, path);
}

int prepare_listeners(const struct config *config, struct prepared *out)
{
    char path[CONFIG_PATH_SIZE + sizeof("/run/netns/")];
    if (config->netns[0] == '\0')
        return open_all(config, out);
    snprintf(path, sizeof(path), "%s%s", config->netns[0] == '/' ? "" : "/run/netns/", config->netns);
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int inside = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (home < 0 || inside < 0)
        return report_failed(STEP_NETNS_OPEN, errno, path);
    int kind = ioctl(inside, NS_GET_NSTYPE);
    if (kind != CLONE_NEWNET)
        return report_failed(STEP_NETNS_OPEN, kind < 0 ? errno : EINVAL, path);
    int step = open_inside(config, out, home, inside, path);
    close(home);
    close(inside);
    return step;
}
