/*
 * Only spans that the parser found good are copied, and only into places of which this file wrote the frame,
 * so the request that the agent reads has exactly the lines that are put here.
 *
 * From the guest's fields pass those of FIELD_OTHER (the fields that frame or route the message are written
 * anew), without '_' in the name (agents built on WSGI take it for '-'), without obs-text in the value (some
 * readers end a line at 0x85), neither protected nor hop-by-hop, nor named by Connection. Of those, by
 * default, the ones on the forward list, once each: a second one is dropped, since the agents would join the
 * two to one value that nobody sent. With forward_all a repeated field passes as often and in the order that
 * it came.
 */
#include "unpriv/http/rewrite.h"

#include "unpriv/http/chars.h"
#include "unpriv/http/fields.h"
#include "unpriv/http/out.h"

#define HOST_STANDARD                                                                                        \
    "169.254.169.254" /* for guests that named none: the agents want the line, not its value */

/* The position of a name on the forward list; SETTINGS_FORWARD_MAX where it is not on it. */
static unsigned listed(const struct settings *settings, const char *name, size_t length)
{
    const unsigned count =
        settings->forward_count < SETTINGS_FORWARD_MAX ? settings->forward_count : SETTINGS_FORWARD_MAX;
    if (length >= SETTINGS_FORWARD_SIZE)
        return SETTINGS_FORWARD_MAX;
    for (unsigned i = 0; i < count; i++)
        if (http_text_is(name, length, settings->forward[i]))
            return i;
    return SETTINGS_FORWARD_MAX;
}

/* May it pass at all, whatever the list says? */
static bool may_pass(const struct http_request *request, const struct http_field *field, const char *bytes)
{
    const char *name = bytes + field->name.at;
    const uint32_t value_end = (uint32_t)field->value.at + field->value.length;
    return field->id == FIELD_OTHER && !memchr(name, '_', field->name.length) &&
           http_run(bytes, field->value.at, value_end, CHAR_ASCII) == value_end &&
           !header_is_protected(name, field->name.length) &&
           !header_is_hop_by_hop(name, field->name.length) &&
           !http_connection_names(request->fields, request->field_count, bytes, field->name);
}

static void put_guest_fields(struct http_out *out, const struct http_request *request, const char *bytes,
                             const struct settings *settings)
{
    uint32_t seen = 0;
    for (unsigned i = 0; i < request->field_count; i++) {
        const struct http_field *field = &request->fields[i];
        uint32_t place = 0; /* its bit in `seen`; with forward_all none, so that repeated fields pass */
        if (!settings->forward_all) {
            const unsigned listed_at = listed(settings, bytes + field->name.at, field->name.length);
            place = listed_at < SETTINGS_FORWARD_MAX ? 1U << listed_at : 0;
            if (place == 0 || seen & place || field->value.length > REWRITE_VALUE_MAX)
                continue;
        }
        if (!may_pass(request, field, bytes))
            continue;
        http_put_field(out, bytes, field);
        seen |= place;
    }
}

/* An absolute target may lack its path, or all (RFC 9112 sections 3.2.1 and 3.2.4). */
static void put_request_line(struct http_out *out, const struct http_request *request, const char *bytes)
{
    const struct http_span target = request->target;
    http_put_span(out, bytes, request->method_text);
    http_put_text(out, " ");
    if (target.length == 0 && request->method == HTTP_OPTIONS)
        http_put_text(out, "*");
    else if (target.length == 0 || bytes[target.at] == '?')
        http_put_text(out, "/");
    http_put_span(out, bytes, target);
    http_put_text(out, " HTTP/1.1\r\n");
}

/* `size` is that of the value's array, which need not have a NUL. */
static void put_header(struct http_out *out, const char *name, const char *value, size_t size)
{
    http_put_text(out, name);
    http_put_text(out, ": ");
    http_put(out, value, strnlen(value, size));
    http_put_text(out, "\r\n");
}

/* @return false where there is nothing to stamp the request with */
static bool put_identity(struct http_out *out, const struct rewrite_from *from)
{
    const struct network *network = from->network;
    const struct instance *instance = from->instance;
    const char *header = identity_header_name(network->identity);

    put_header(out, "X-Forwarded-For", from->guest, ADDRESS_TEXT_SIZE);
    if (header) {
        put_header(out, header, network->uuid, sizeof network->uuid);
        return true;
    }
    if (network->identity != IDENTITY_INSTANCE || !instance)
        return false;
    put_header(out, INSTANCE_ID_HEADER, instance->id, sizeof instance->id);
    put_header(out, INSTANCE_TENANT_HEADER, instance->tenant, sizeof instance->tenant);
    put_header(out, INSTANCE_SIGNATURE_HEADER, instance->signature, sizeof instance->signature);
    return true;
}

static void put_host(struct http_out *out, const struct http_request *request, const char *bytes)
{
    http_put_text(out, "Host: ");
    if (request->authority.length > 0)
        http_put_span(out, bytes, request->authority);
    else
        http_put_text(out, HOST_STANDARD);
    http_put_text(out, "\r\n");
}

size_t http_rewrite(const struct http_request *request, const char *bytes, const struct settings *settings,
                    const struct rewrite_from *from, size_t body_length, char *to, size_t size)
{
    struct http_out out = {.bytes = to, .size = size};
    put_request_line(&out, request, bytes);
    if (!put_identity(&out, from))
        return 0;
    put_host(&out, request, bytes);
    put_guest_fields(&out, request, bytes, settings);
    if (request->chunked || request->has_length) {
        http_put_text(&out, "Content-Length: ");
        http_put_number(&out, body_length);
        http_put_text(&out, "\r\n");
    }
    http_put_text(&out, settings->upstream_reuse ? "\r\n" : "Connection: close\r\n\r\n");
    return http_out_length(&out);
}
