/*
 * Hosts and ports. See endpoint.h for the theory.
 */
#include "ipc/endpoint.h"

#include "ipc/text.h"

#include <arpa/inet.h>
#include <string.h>

#define LABEL_MOST 63
#define NAME_MOST  253

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_label(const char *label, size_t length)
{
    if (length == 0 || length > LABEL_MOST || label[0] == '-' || label[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!is_digit(label[i]) && !is_letter(label[i]) && label[i] != '-')
            return false;
    }
    return true;
}

static bool is_name(const char *host)
{
    size_t length = strnlen(host, NAME_MOST + 1);
    const char *label = host;

    if (length > NAME_MOST)
        return false;
    for (;;) {
        size_t part = strcspn(label, ".");
        if (!is_label(label, part))
            return false;
        if (label[part] == '\0')
            return strspn(label, "0123456789") != part;
        label += part + 1;
    }
}

bool endpoint_literal(const char *host, uint16_t port, struct address *out)
{
    struct address address = {.family = ADDRESS_IPV4, .port = port};

    if (inet_pton(AF_INET, host, address.ip) != 1) {
        address.family = ADDRESS_IPV6;
        if (inet_pton(AF_INET6, host, address.ip) != 1)
            return false;
    }
    *out = address;
    return true;
}

bool endpoint_reachable(const struct address *address)
{
    static const uint8_t unspecified[16];
    const uint8_t *ip = address->ip;

    if (!address_valid(address) || address->interface[0] != '\0')
        return false;
    if (memcmp(ip, unspecified, sizeof(unspecified)) == 0)
        return false;
    return address->family == ADDRESS_IPV4 ? ip[0] != 0 && ip[0] < 224 : ip[0] != 0xFF;
}

const char *endpoint_host_check(const char *host)
{
    struct address address;

    if (endpoint_literal(host, 1, &address))
        return endpoint_reachable(&address) ? NULL : "an address that no connection can be made to";
    return is_name(host) ? NULL : "neither an IP address nor a host name";
}

const char *endpoint_split(const char *text, char host[ENDPOINT_HOST_SIZE], uint16_t *port)
{
    const bool bracketed = text[0] == '[';
    const char *start = text + (bracketed ? 1 : 0);
    const char *end = strpbrk(start, bracketed ? "]" : ":");
    char name[ENDPOINT_HOST_SIZE] = {0};
    uint32_t number;

    if (end == NULL || (bracketed && end[1] != ':'))
        return "not HOST:PORT, with an IPv6 address in brackets";
    if ((size_t)(end - start) >= sizeof(name))
        return "the host is too long";
    memcpy(name, start, (size_t)(end - start));
    if (bracketed && strchr(name, ':') == NULL)
        return "only an IPv6 address stands in brackets";
    if (!text_number(end + (bracketed ? 2 : 1), 1, UINT16_MAX, &number))
        return "not HOST:PORT with a port of 1 to 65535";
    const char *wrong = endpoint_host_check(name);
    if (wrong == NULL) {
        memcpy(host, name, sizeof(name));
        *port = (uint16_t)number;
    }
    return wrong;
}
