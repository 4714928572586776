/*
 * The heads that guests read: the agent's, written anew from its validated spans, and the proxy's own
 * answers.
 */
#include "unpriv/http/answer.h"

#include "ipc/settings.h"
#include "unpriv/http/fields.h"
#include "unpriv/http/method.h"
#include "unpriv/http/out.h"

static void put_status(struct http_out *out, uint16_t status)
{
    http_put_text(out, "HTTP/1.1 ");
    http_put_number(out, status);
    http_put_text(out, " ");
}

static void put_framing(struct http_out *out, const struct http_answer *answer, enum answer_relay relay)
{
    /* RFC 9110 section 8.6: a 204 has no Content-Length. */
    const bool length =
        relay == RELAY_LENGTH || (relay == RELAY_NO_BODY && answer->has_length && answer->status != 204);
    if (length) {
        http_put_text(out, "Content-Length: ");
        http_put_number(out, answer->content_length);
        http_put_text(out, "\r\n");
    } else if (relay == RELAY_CHUNKED) {
        http_put_text(out, "Transfer-Encoding: chunked\r\n");
    }
}

size_t http_answer_rewrite(const struct http_answer *answer, const char *bytes, enum answer_relay relay,
                           uint8_t minor, bool keep_alive, char *to, size_t size)
{
    struct http_out out = {.bytes = to, .size = size};
    put_status(&out, answer->status);
    http_put_span(&out, bytes, answer->reason);
    http_put_text(&out, "\r\n");
    for (unsigned i = 0; i < answer->field_count; i++) {
        const struct http_field *field = &answer->fields[i];
        if (!header_is_hop_by_hop(bytes + field->name.at, field->name.length) &&
            !http_connection_names(answer->fields, answer->field_count, bytes, field->name))
            http_put_field(&out, bytes, field);
    }
    put_framing(&out, answer, relay);
    if (!keep_alive)
        http_put_text(&out, "Connection: close\r\n");
    else if (minor == 0)
        http_put_text(&out, "Connection: keep-alive\r\n");
    http_put_text(&out, "\r\n");
    return http_out_length(&out);
}

const char *http_status_phrase(uint16_t status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 417:
        return "Expectation Failed";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Error";
    }
}

static void put_allow(struct http_out *out, uint32_t methods)
{
    const char *separator = "Allow: ";
    for (unsigned method = 0; method < HTTP_METHOD_COUNT; method++) {
        if (!(methods & 1U << method))
            continue;
        http_put_text(out, separator);
        http_put_text(out, http_method_name((enum http_method)method));
        separator = ", ";
    }
    http_put_text(out, methods ? "\r\n" : "Allow:\r\n");
}

size_t http_answer_own(uint16_t status, uint32_t methods, uint32_t retry_after_s, bool keep_alive,
                       bool head_only, char *to, size_t size)
{
    struct http_out out = {.bytes = to, .size = size};
    const char *phrase = http_status_phrase(status);
    put_status(&out, status);
    http_put_text(&out, phrase);
    http_put_text(&out, "\r\nContent-Type: text/plain\r\nContent-Length: ");
    http_put_number(&out, strlen("400 ") + strlen(phrase) + strlen("\n"));
    http_put_text(&out, "\r\n");
    if (status == 429 || status == 503) {
        http_put_text(&out, "Retry-After: ");
        http_put_number(&out, retry_after_s);
        http_put_text(&out, "\r\n");
    }
    if (status == 405 || status == 501)
        put_allow(&out, methods & SETTINGS_METHODS_ALL);
    /* HTTP/1.1 takes keep-alive for granted, HTTP/1.0 has to be told. */
    http_put_text(&out, keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
    if (!head_only) {
        http_put_number(&out, status);
        http_put_text(&out, " ");
        http_put_text(&out, phrase);
        http_put_text(&out, "\n");
    }
    return http_out_length(&out);
}
