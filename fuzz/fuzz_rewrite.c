/*
 * From a guest's bytes to the agent's: nothing protected survives in any spelling, the identity stands where
 * it must, and the strict parser reads in the output the request that it read in the input.
 *
 * The list of protected names is written out here again, so that the proxy's own list is tested and not
 * trusted.
 */
#include "fuzz/check.h"
#include "unpriv/http/rewrite.h"

#include <ctype.h>
#include <string.h>

#define GUEST     "2001:db8::7"
#define TENANT    "0123456789abcdef"
#define SIGNATURE "00ff"
#define UUID      "0123abcd-1111-2222-3333-444455556666"

static const char *const protected[] = {"x-forwarded-for",
                                        "x-forwarded-host",
                                        "x-forwarded-proto",
                                        "x-forwarded-port",
                                        "x-forwarded-server",
                                        "forwarded",
                                        "via",
                                        "x-real-ip",
                                        "x-client-ip",
                                        "x-instance-id",
                                        "x-instance-id-signature",
                                        "x-tenant-id",
                                        "x-project-id",
                                        "x-metadata-provider",
                                        "x-metadata-provider-signature"};
static const char *const hop_by_hop[] = {
    "keep-alive", "proxy-connection", "te",    "trailer", "transfer-encoding",
    "upgrade",    "http2-settings",   "expect"};

/* Lower case, '-' for '_', as an agent built on WSGI would see it. */
static void fold(char *out, size_t size, const char *bytes, struct http_span span)
{
    const size_t length = span.length < size ? span.length : size - 1;
    for (size_t i = 0; i < length; i++) {
        const char byte = bytes[span.at + i];
        out[i] = '-';
        if (byte != '_')
            out[i] = (char)tolower((unsigned char)byte);
    }
    out[length] = '\0';
}

static bool is_protected(const char *name)
{
    for (size_t i = 0; i < sizeof protected / sizeof *protected; i++)
        if (strcmp(name, protected[i]) == 0)
            return true;
    return strncmp(name, "x-neutron-", 10) == 0 || strncmp(name, "x-ovn-", 6) == 0;
}

static bool is_hop_by_hop(const char *name)
{
    for (size_t i = 0; i < sizeof hop_by_hop / sizeof *hop_by_hop; i++)
        if (strcmp(name, hop_by_hop[i]) == 0)
            return true;
    return false;
}

/* Our own lines come first or last and once; between them is nothing that only a proxy may say. */
static void check_fields(const struct http_request *out, const char *bytes, unsigned stamped, bool length)
{
    unsigned own = 0, framing = 0;
    for (unsigned i = 0; i < out->field_count; i++) {
        char name[64];
        fold(name, sizeof name, bytes, out->fields[i].name);
        CHECK(!memchr(bytes + out->fields[i].name.at, '_', out->fields[i].name.length));
        CHECK(!is_hop_by_hop(name));
        CHECK(is_protected(name) == (i < stamped));
        CHECK((strcmp(name, "host") == 0) == (i == stamped));
        own += strcmp(name, "connection") == 0;
        framing += strcmp(name, "content-length") == 0;
    }
    CHECK(own == 1 && framing == (length ? 1 : 0));
}

static void check_start(const struct http_request *in, const char *out, size_t length, const char *identity)
{
    char expected[256];
    const int size = identity ? snprintf(expected, sizeof expected,
                                         "\r\nX-Forwarded-For: " GUEST "\r\n%s: " UUID "\r\nHost: ", identity)
                              : snprintf(expected, sizeof expected,
                                         "\r\nX-Forwarded-For: " GUEST "\r\nX-Instance-ID: " UUID
                                         "\r\nX-Tenant-ID: " TENANT "\r\nX-Instance-ID-Signature: " SIGNATURE
                                         "\r\nHost: ");
    const char *line_end = memchr(out, '\r', length);
    CHECK(line_end && (size_t)(line_end - out) + (size_t)size <= length);
    CHECK(memcmp(line_end, expected, (size_t)size) == 0);
    CHECK(memcmp(line_end - 9, " HTTP/1.1", 9) == 0);
    /* the target is longer by the one byte that an absolute form may lack */
    const size_t line = (size_t)(line_end - out);
    const size_t least = (size_t)in->method_text.length + 1 + in->target.length + 9;
    CHECK(line == least || line == least + 1);
}

static void check_output(const struct http_request *in, const char *bytes, const char *out, size_t length,
                         size_t body_length, unsigned stamped)
{
    static const struct http_limits wide = {.line = 20000,
                                            .head = 65535,
                                            .fields = HTTP_FIELDS_CAP,
                                            .body = UINT32_MAX,
                                            .methods = SETTINGS_METHODS_ALL};
    static struct http_request again;
    http_request_begin(&again);
    CHECK(http_request_parse(&again, out, length, &wide) == HTTP_DONE);
    CHECK(again.head_length == length);
    CHECK(again.method == in->method && again.minor == 1 && !again.keep_alive && !again.chunked);
    CHECK(again.target.length >= in->target.length);
    CHECK(memcmp(out + again.target.at + again.target.length - in->target.length, bytes + in->target.at,
                 in->target.length) == 0);
    CHECK(in->authority.length == 0 ||
          (again.authority.length == in->authority.length &&
           memcmp(out + again.authority.at, bytes + in->authority.at, in->authority.length) == 0));
    CHECK(again.has_length == (in->chunked || in->has_length));
    CHECK(!again.has_length || again.content_length == body_length);
    check_fields(&again, out, stamped, again.has_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_limits limits = {
        .line = 2048, .head = 8192, .fields = 64, .body = 65536, .methods = SETTINGS_METHODS_ALL};
    static struct http_request request;
    static struct settings settings;
    static struct network network;
    static const struct instance instance = {.id = UUID, .tenant = TENANT, .signature = SIGNATURE};
    struct rewrite_from from = {.network = &network, .guest = GUEST};
    static char out[32768];
    const unsigned choice = take_control(data, &size);
    const size_t small_size = take_control(data, &size) << 2;
    const char *bytes = (const char *)data;
    http_request_begin(&request);
    if (size > UINT16_MAX || http_request_parse(&request, bytes, size, &limits) != HTTP_DONE)
        return 0;

    settings_default(&settings);
    memcpy(network.uuid, UUID, sizeof UUID);
    network.identity = (uint8_t)(IDENTITY_NEUTRON_NETWORK + choice % 4);
    if (choice & 8) {
        network.identity = IDENTITY_INSTANCE;
        from.instance = &instance;
    }
    settings.forward_all = choice & 4 ? 1 : 0;
    const size_t body_length = choice << 4;
    const size_t length = http_rewrite(&request, bytes, &settings, &from, body_length, out, sizeof out);
    CHECK(length > 0);
    check_start(&request, out, length, identity_header_name(network.identity));
    check_output(&request, bytes, out, length, body_length, choice & 8 ? 4 : 2);

    char *small = malloc(small_size + 1);
    CHECK(small);
    const size_t fitted = http_rewrite(&request, bytes, &settings, &from, body_length, small, small_size);
    CHECK(fitted == (small_size < length ? 0 : length));
    CHECK(memcmp(small, out, fitted) == 0);
    free(small);
    return 0;
}
