/*
 * The fresh request towards the agent: nothing is edited, everything is written anew from validated spans.
 *
 * Request line, identity headers at once behind it (X-Forwarded-For, then the network's or router's, or the
 * three of an instance), Host,
 * the client's headers that are on the forward list, Content-Length where there is a body, Connection: close.
 * A protected or hop-by-hop header cannot get through in any spelling, nor one that Connection names, nor one
 * with '_' in its name or a byte above 0x7E in its value. Of a listed header only the first one passes.
 */
#ifndef METAWARD_UNPRIV_HTTP_REWRITE_H
#define METAWARD_UNPRIV_HTTP_REWRITE_H

#include "ipc/instance.h"
#include "ipc/settings.h"
#include "unpriv/http/request.h"

#define REWRITE_VALUE_MAX                                                                                    \
    256 /* a listed client header with a longer value is dropped (not with forward_all) */

/* Who asks. */
struct rewrite_from {
    const struct network *network;   /* identity header, uuid */
    const struct instance *instance; /* of the guest; only with IDENTITY_INSTANCE, and then not NULL */
    const char *guest;               /* its address as text, without zone */
};

/**
 * Write the head of the fresh request.
 *
 * @param bytes       the buffer that `request` was parsed from
 * @param settings    forward list
 * @param from        what is stamped on it
 * @param body_length Content-Length; written where the request had a body of known or chunked length, even 0
 * @param out         written from the start; not NUL-terminated
 * @return the length, or 0 where it does not fit into `size`
 */
size_t http_rewrite(const struct http_request *request, const char *bytes, const struct settings *settings,
                    const struct rewrite_from *from, size_t body_length, char *out, size_t size);

#endif
