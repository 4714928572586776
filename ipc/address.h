/*
 * The address of a listener or of a guest, in one fixed-size form.
 *
 * It is what the command line names with ADDR:PORT[%interface], what a message carries, and what a log line
 * and X-Forwarded-For show. Text is read here and nowhere else. IPv4-mapped IPv6 addresses are shown as IPv4,
 * a zone is never shown to an agent.
 */
#ifndef METAWARD_IPC_ADDRESS_H
#define METAWARD_IPC_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_INTERFACE_SIZE 16 /* IFNAMSIZ: a name of at most 15 bytes and its NUL */
#define ADDRESS_TEXT_SIZE      80 /* "[" 45 "%" 15 "]:" 5 NUL, rounded up */

enum address_family { ADDRESS_NONE = 0, ADDRESS_IPV4 = 4, ADDRESS_IPV6 = 6 };

struct address {
    uint8_t family;                         /* enum address_family */
    uint8_t reserved;                       /* zero */
    uint16_t port;                          /* host order, 1 to 65535 in a listener */
    uint8_t ip[16];                         /* network order; IPv4 uses the first four, the rest is zero */
    char interface[ADDRESS_INTERFACE_SIZE]; /* zero-filled; empty where no interface was named */
};

/**
 * Read ADDR:PORT[%interface].
 *
 * Forms: "169.254.169.254:80", "169.254.169.254:80%tap0", "[fe80::a9fe:a9fe]:80%tap0", "[::]:9697". The text
 * must be used up to its end. A link-local IPv6 address must name its interface. An interface name is 1 to 15
 * bytes of printable ASCII without '/', ':', '%' and blanks, and neither "." nor "..".
 *
 * @param text NUL-terminated
 * @param out  written only on success
 * @return NULL on success, else a constant string that says what is wrong
 */
const char *address_parse(const char *text, struct address *out);

/**
 * Read a bare IP address: IPv4, or IPv6 without brackets; no port, no zone. An IPv4-mapped one becomes IPv4.
 *
 * @param text NUL-terminated
 * @param out  written only on success; port 0, no interface
 * @return NULL on success, else a constant string that says what is wrong
 */
const char *address_parse_ip(const char *text, struct address *out);

/** Is this the IP address of one host, in its only form: not 0.0.0.0 or ::, not IPv4-mapped, unused bytes
 * zero? */
bool address_ip_valid(uint8_t family, const uint8_t ip[16]);

/**
 * Is every field in its range and everything unused zero? For addresses that came in a message.
 */
bool address_valid(const struct address *address);

/**
 * Is this a list of addresses to listen at, as it came in a message?
 *
 * @param list   `places` addresses: the first `count`, 1 or more, valid, with a port, none twice; the others
 *               all zero
 */
bool address_list_valid(const struct address *list, size_t count, size_t places);

/**
 * Write the form that address_parse() reads.
 *
 * @param out at least ADDRESS_TEXT_SIZE bytes, NUL-terminated
 * @return the length without the NUL
 */
size_t address_format(const struct address *address, char out[ADDRESS_TEXT_SIZE]);

/**
 * Write the bare IP: no port, no brackets, no zone, IPv4-mapped as IPv4 (RFC 4291 2.5.5.2; IPv6 as in RFC
 * 5952).
 *
 * Allocates nothing and makes no system call: the worker uses it for every connection.
 *
 * @param out at least 46 bytes (INET6_ADDRSTRLEN), NUL-terminated
 * @return the length without the NUL
 */
size_t address_format_ip(const struct address *address, char out[46]);

/**
 * Take over what accept4() or getsockname() returned; a mapped IPv4 address becomes IPv4, the scope is
 * dropped.
 *
 * @return false for another family or a short length; `out` is then ADDRESS_NONE
 */
bool address_from_sockaddr(const struct sockaddr *from, socklen_t length, struct address *out);

#endif
