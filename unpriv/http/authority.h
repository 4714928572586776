/*
 * The grammar of Host and of an absolute target's authority (RFC 9110 section 7.2, RFC 3986 section 3.2).
 */
#ifndef METAWARD_UNPRIV_HTTP_AUTHORITY_H
#define METAWARD_UNPRIV_HTTP_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Is it HOST or HOST:PORT?
 *
 * HOST is a reg-name (an IPv4 address is one) or an IPv6 address in brackets, with a zone where guests write
 * one:
 * "[fe80::a9fe:a9fe%25eth0]" (RFC 6874) or "[fe80::a9fe:a9fe%eth0]". Narrower than RFC 3986: not empty, no
 * user information, no ',' (two hosts joined), no IPvFuture; PORT is empty or at most 65535.
 */
bool http_authority_valid(const char *text, size_t length);

#endif
