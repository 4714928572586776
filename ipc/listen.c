/*
 * See listen.h.
 */
#include "ipc/listen.h"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

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

bool listen_at(int fd, const struct address *address)
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

static bool has_option(int fd, int option, int value)
{
    int found = 0;
    socklen_t length = sizeof(found);
    return getsockopt(fd, SOL_SOCKET, option, &found, &length) == 0 && found == value;
}

bool listen_is(int fd, const struct address *address)
{
    struct sockaddr_storage bound;
    struct address found;
    char interface[ADDRESS_INTERFACE_SIZE] = "";
    socklen_t length = sizeof(bound), interface_length = sizeof(interface);
    if (!has_option(fd, SO_ACCEPTCONN, 1) || !has_option(fd, SO_TYPE, SOCK_STREAM) ||
        getsockname(fd, (struct sockaddr *)&bound, &length) != 0 ||
        !address_from_sockaddr((const struct sockaddr *)&bound, length, &found) ||
        getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, &interface_length) != 0)
        return false;
    return found.family == address->family && found.port == address->port &&
           memcmp(found.ip, address->ip, sizeof(found.ip)) == 0 &&
           strncmp(interface, address->interface, sizeof(interface)) == 0;
}

int listen_socket(const struct address *address)
{
    return socket(address->family == ADDRESS_IPV4 ? AF_INET : AF_INET6,
                  SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}
