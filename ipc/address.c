/*
 * Addresses, between text, sockaddr and the fixed-size form.
 *
 * An address has one form only: IPv4-mapped IPv6 is IPv4, whatever is unused is zero, and address_valid()
 * says yes exactly where address_format() gives a text that address_parse() reads back as the same bytes.
 * Writing is our own code: it is on the way of every connection, inside the filter.
 */
#include "ipc/address.h"

#include "ipc/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define IP_TEXT_SIZE 46 /* INET6_ADDRSTRLEN */

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

static bool is_mapped(const uint8_t ip[16])
{
    return memcmp(ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

/* fe80::/10: an address that means nothing without an interface. */
static bool is_link_local(const struct address *address)
{
    return address->family == ADDRESS_IPV6 && address->ip[0] == 0xFE && (address->ip[1] & 0xC0) == 0x80;
}

static bool is_interface(const char *name, size_t length)
{
    if (length == 0 || length >= ADDRESS_INTERFACE_SIZE)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (name[i] < 0x21 || name[i] > 0x7E || name[i] == '/' || name[i] == ':' || name[i] == '%')
            return false;
    }
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* Read the part in front of the port, `length` bytes of `text`. */
static const char *parse_ip(const char *text, size_t length, struct address *out)
{
    char ip[IP_TEXT_SIZE];
    bool bracketed = length >= 2 && text[0] == '[' && text[length - 1] == ']';

    if (bracketed) {
        text++;
        length -= 2;
    }
    if (length >= sizeof(ip))
        return "not an IP address";
    memcpy(ip, text, length);
    ip[length] = '\0';
    if (!bracketed && strchr(ip, ':') != NULL)
        return "an IPv6 address stands in brackets";
    if (inet_pton(bracketed ? AF_INET6 : AF_INET, ip, out->ip) != 1)
        return "not an IP address";
    out->family = bracketed ? ADDRESS_IPV6 : ADDRESS_IPV4;
    if (bracketed && is_mapped(out->ip))
        return "an IPv4-mapped address is written as IPv4";
    return NULL;
}

/* Read what follows the address: PORT[%interface]. */
static const char *parse_port(const char *text, struct address *out)
{
    char digits[6]; /* 65535 and NUL */
    const char *percent = strchr(text, '%');
    size_t length = percent != NULL ? (size_t)(percent - text) : strlen(text);
    uint32_t port;

    if (length >= sizeof(digits))
        return "the port is not 1 to 65535";
    memcpy(digits, text, length);
    digits[length] = '\0';
    if (!text_number(digits, 1, UINT16_MAX, &port))
        return "the port is not 1 to 65535";
    out->port = (uint16_t)port;
    if (percent == NULL)
        return is_link_local(out) ? "a link-local address needs its %interface" : NULL;
    size_t name_length = strnlen(percent + 1, ADDRESS_INTERFACE_SIZE);
    if (!is_interface(percent + 1, name_length))
        return "not the name of an interface";
    memcpy(out->interface, percent + 1, name_length);
    return NULL;
}

const char *address_parse(const char *text, struct address *out)
{
    struct address address = {0};
    const char *colon = text[0] == '[' ? strstr(text, "]:") : strrchr(text, ':');

    if (colon == NULL)
        return "not ADDR:PORT[%interface]";
    if (*colon == ']')
        colon++;
    const char *wrong = parse_ip(text, (size_t)(colon - text), &address);
    if (wrong == NULL)
        wrong = parse_port(colon + 1, &address);
    if (wrong == NULL)
        *out = address;
    return wrong;
}

const char *address_parse_ip(const char *text, struct address *out)
{
    struct address address = {.family = strchr(text, ':') != NULL ? ADDRESS_IPV6 : ADDRESS_IPV4};

    if (inet_pton(address.family == ADDRESS_IPV6 ? AF_INET6 : AF_INET, text, address.ip) != 1)
        return "not an IP address";
    if (address.family == ADDRESS_IPV6 && is_mapped(address.ip)) {
        address.family = ADDRESS_IPV4;
        memmove(address.ip, address.ip + sizeof(mapped_prefix), 4);
        memset(address.ip + 4, 0, sizeof(address.ip) - 4);
    }
    if (!address_ip_valid(address.family, address.ip))
        return "not the address of one host";
    *out = address;
    return NULL;
}

bool address_ip_valid(uint8_t family, const uint8_t ip[16])
{
    static const uint8_t zeros[16];

    if (memcmp(ip, zeros, sizeof(zeros)) == 0)
        return false;
    if (family == ADDRESS_IPV4)
        return memcmp(ip + 4, zeros, sizeof(zeros) - 4) == 0;
    return family == ADDRESS_IPV6 && !is_mapped(ip);
}

bool address_valid(const struct address *address)
{
    static const uint8_t zeros[12];

    if (address->reserved != 0 || address->port == 0 ||
        !text_stored_well(address->interface, ADDRESS_INTERFACE_SIZE))
        return false;
    size_t name_length = strlen(address->interface);
    if (name_length != 0 ? !is_interface(address->interface, name_length) : is_link_local(address))
        return false;
    if (address->family == ADDRESS_IPV4)
        return memcmp(address->ip + 4, zeros, sizeof(zeros)) == 0;
    return address->family == ADDRESS_IPV6 && !is_mapped(address->ip);
}

bool address_list_valid(const struct address *list, size_t count, size_t places)
{
    static const struct address unused;

    if (count == 0 || count > places)
        return false;
    for (size_t i = 0; i < places; i++) {
        if (i >= count && memcmp(&list[i], &unused, sizeof(unused)) != 0)
            return false;
        if (i < count && (!address_valid(&list[i]) || list[i].port == 0))
            return false;
        for (size_t j = 0; j < i && i < count; j++) {
            if (memcmp(&list[i], &list[j], sizeof(list[i])) == 0)
                return false;
        }
    }
    return true;
}

/* Write a number below 65536 in decimal; returns behind it. */
static char *write_decimal(char *at, unsigned value)
{
    for (unsigned unit = 10000; unit > 1; unit /= 10) {
        if (value >= unit)
            *at++ = (char)('0' + value / unit % 10);
    }
    *at++ = (char)('0' + value % 10);
    return at;
}

/* Write a number below 65536 in lower-case hexadecimal without leading zeros; returns behind it. */
static char *write_hex(char *at, unsigned value)
{
    static const char digits[] = "0123456789abcdef";

    for (unsigned shift = 12; shift > 0; shift -= 4) {
        if (value >> shift != 0)
            *at++ = digits[value >> shift & 0xF];
    }
    *at++ = digits[value & 0xF];
    return at;
}

static char *write_ipv4(char *at, const uint8_t ip[4])
{
    for (unsigned i = 0; i < 4; i++) {
        if (i != 0)
            *at++ = '.';
        at = write_decimal(at, ip[i]);
    }
    return at;
}

/* The first of the longest runs of zero groups, at least two long (RFC 5952 section 4.2); returns its length.
 */
static unsigned longest_run(const unsigned group[8], unsigned *start)
{
    unsigned best = 1;

    *start = 8;
    for (unsigned i = 0, end; i < 8; i = end + 1) {
        for (end = i; end < 8 && group[end] == 0;)
            end++;
        if (end - i > best) {
            best = end - i;
            *start = i;
        }
    }
    return best;
}

static char *write_ipv6(char *at, const uint8_t ip[16])
{
    unsigned group[8], start;

    for (size_t i = 0; i < 8; i++)
        group[i] = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
    unsigned run = longest_run(group, &start);
    for (unsigned i = 0; i < 8; i++) {
        if (i == start) {
            *at++ = ':';
            i += run - 1;
            if (i == 7)
                *at++ = ':';
            continue;
        }
        if (i != 0)
            *at++ = ':';
        at = write_hex(at, group[i]);
    }
    return at;
}

size_t address_format_ip(const struct address *address, char out[46])
{
    char *end = out;

    if (address->family == ADDRESS_IPV4)
        end = write_ipv4(out, address->ip);
    else if (address->family == ADDRESS_IPV6 && is_mapped(address->ip))
        end = write_ipv4(out, address->ip + 12);
    else if (address->family == ADDRESS_IPV6)
        end = write_ipv6(out, address->ip);
    *end = '\0';
    return (size_t)(end - out);
}

size_t address_format(const struct address *address, char out[ADDRESS_TEXT_SIZE])
{
    char *at = out;

    if (address->family == ADDRESS_IPV6)
        *at++ = '[';
    at += address_format_ip(address, at);
    if (address->family == ADDRESS_IPV6)
        *at++ = ']';
    *at++ = ':';
    at = write_decimal(at, address->port);
    if (address->interface[0] != '\0') {
        size_t length = strnlen(address->interface, ADDRESS_INTERFACE_SIZE);
        *at++ = '%';
        memcpy(at, address->interface, length);
        at += length;
    }
    *at = '\0';
    return (size_t)(at - out);
}

bool address_from_sockaddr(const struct sockaddr *from, socklen_t length, struct address *out)
{
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;

    memset(out, 0, sizeof(*out));
    if (length >= sizeof(in4) && from->sa_family == AF_INET) {
        memcpy(&in4, from, sizeof(in4)); /* `from` need not be aligned for it */
        out->family = ADDRESS_IPV4;
        out->port = ntohs(in4.sin_port);
        memcpy(out->ip, &in4.sin_addr, 4);
        return true;
    }
    if (length < sizeof(in6) || from->sa_family != AF_INET6)
        return false;
    memcpy(&in6, from, sizeof(in6));
    out->family = is_mapped(in6.sin6_addr.s6_addr) ? ADDRESS_IPV4 : ADDRESS_IPV6;
    out->port = ntohs(in6.sin6_port);
    if (out->family == ADDRESS_IPV4)
        memcpy(out->ip, in6.sin6_addr.s6_addr + 12, 4);
    else
        memcpy(out->ip, in6.sin6_addr.s6_addr, 16);
    return true;
}
