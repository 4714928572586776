/*
 * What the parts of a request head mean: the forms of a target, the fields that frame the message. The bytes
 * were checked by request.c already; here are the rules that hold between them (RFC 9112 sections 3.2, 6
 * and 9.3).
 */
#ifndef METAWARD_UNPRIV_HTTP_MEANING_H
#define METAWARD_UNPRIV_HTTP_MEANING_H

#include "unpriv/http/request.h"

/** End the parsing with a verdict of HTTP_BAD. The first refusal stands, later ones are ignored. */
void http_refuse(struct http_request *request, uint16_t status, enum http_reason reason, uint32_t at);

/** The target is complete: find its form, split an absolute one into authority and target. May refuse. */
void http_take_target(struct http_request *request, const char *bytes);

/** The request line is complete: may its method be forwarded? May refuse. */
void http_take_method(struct http_request *request, const char *bytes, const struct http_limits *limits);

/** A field's line is complete, and not folded: check it against those before and keep what it says. May
 * refuse. */
void http_take_field(struct http_request *request, const char *bytes, const struct http_field *field,
                     const struct http_limits *limits);

/**
 * The head is complete: check what must have come, and settle keep_alive. May refuse.
 *
 * @param at offset of the head's last byte
 */
void http_take_head(struct http_request *request, uint32_t at);

#endif
