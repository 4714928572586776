/*
 * The methods that this proxy implements (RFC 9110 section 9). Their names are case-sensitive.
 */
#ifndef METAWARD_UNPRIV_HTTP_METHOD_H
#define METAWARD_UNPRIV_HTTP_METHOD_H

#include "unpriv/http/request.h"

/** The method of that exact name; HTTP_OTHER where it is none of ours. */
enum http_method http_method_find(const char *text, size_t length);

/** The name of a method below HTTP_METHOD_COUNT: a constant string. */
const char *http_method_name(enum http_method method);

/** Is it CONNECT or TRACE? Both are known, and never forwarded: a tunnel and an echo of identity headers. */
bool http_method_is_barred(const char *text, size_t length);

#endif
