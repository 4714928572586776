/*
 * The request parser: each case is an input and the whole result as one line of text, and each input is
 * parsed at every cut, against guard pages.
 */
#include "tests/unit/guard.h"
#include "tests/unit/show.h"
#include "unpriv/http/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct http_limits standard = {.line = 64,
                                            .head = 512,
                                            .fields = 5,
                                            .body = 3072,
                                            .methods = 1U << HTTP_GET | 1U << HTTP_HEAD | 1U << HTTP_POST |
                                                       1U << HTTP_PUT | 1U << HTTP_OPTIONS};

static void add_good(struct shown *shown, const struct http_request *request, const char *bytes,
                     size_t length)
{
    show(shown, "done %u ", (unsigned)request->head_length);
    show_span(shown, bytes, length, request->method_text);
    show(shown, "(%u) ", (unsigned)request->method);
    show_span(shown, bytes, length, request->target);
    show(shown, " host=");
    show_span(shown, bytes, length, request->authority);
    show(shown, " 1.%u%s", (unsigned)request->minor, request->keep_alive ? " keep" : " close");
    if (request->has_length)
        show(shown, " length=%u", (unsigned)request->content_length);
    show(shown, "%s%s", request->chunked ? " chunked" : "", request->expect_continue ? " continue" : "");
    show_fields(shown, bytes, length, request->fields, request->field_count);
}

static void add_bad(struct shown *shown, const struct http_request *request, const char *bytes, size_t length)
{
    assert_in_range(request->bad_at, 0, length - 1);
    show(shown, "%u %s @%u ", (unsigned)request->status, http_reason_id((enum http_reason)request->reason),
         (unsigned)request->bad_at);
    show_span(shown, bytes, length, request->method_text);
    show(shown, "|");
    show_span(shown, bytes, length, request->target);
}

static void describe(struct shown *shown, enum http_verdict verdict, const struct http_request *request,
                     const char *bytes, size_t length)
{
    shown->used = 0;
    if (verdict == HTTP_MORE)
        show(shown, "more");
    else if (verdict == HTTP_DONE)
        add_good(shown, request, bytes, length);
    else
        add_bad(shown, request, bytes, length);
}

static void parse_once(struct shown *shown, const char *bytes, size_t length,
                       const struct http_limits *limits)
{
    struct http_request request;
    memset(&request, 0xA5, sizeof request);
    http_request_begin(&request);
    const enum http_verdict verdict = http_request_parse(&request, bytes, length, limits);
    describe(shown, verdict, &request, bytes, length);
}

/* Byte after byte: each prefix must be judged as it would be at once, and a verdict must stay. */
static void parse_growing(const char *bytes, size_t length, const struct http_limits *limits)
{
    static struct shown grown, fresh;
    struct http_request request;
    http_request_begin(&request);
    for (size_t part = 0; part <= length; part++) {
        const char *placed = guard_at_end(bytes, part);
        const enum http_verdict verdict = http_request_parse(&request, placed, part, limits);
        describe(&grown, verdict, &request, placed, part);
        parse_once(&fresh, placed, part, limits);
        assert_string_equal(grown.text, fresh.text);
    }
}

static void parse_in_two(const char *bytes, size_t length, const struct http_limits *limits,
                         const char *expected)
{
    static struct shown shown;
    for (size_t cut = 0; cut <= length; cut++) {
        struct http_request request;
        http_request_begin(&request);
        http_request_parse(&request, guard_at_end(bytes, cut), cut, limits);
        const char *placed = guard_at_end(bytes, length);
        const enum http_verdict verdict = http_request_parse(&request, placed, length, limits);
        describe(&shown, verdict, &request, placed, length);
        assert_string_equal(shown.text, expected);
    }
}

static void check(const char *bytes, size_t length, const struct http_limits *limits, const char *expected)
{
    static struct shown shown;
    parse_once(&shown, guard_at_end(bytes, length), length, limits);
    assert_string_equal(shown.text, expected);
    parse_once(&shown, guard_at_start(bytes, length), length, limits);
    assert_string_equal(shown.text, expected);
    parse_growing(bytes, length, limits);
    parse_in_two(bytes, length, limits, expected);
}

struct example {
    const char *input;
    size_t length;
    const char *expected;
};

#define EXAMPLE(input, expected)                                                                             \
    {                                                                                                        \
        input, sizeof(input) - 1, expected                                                                   \
    }
#define GET(rest)   "GET / HTTP/1.1\r\n" rest
#define GET10(rest) "GET / HTTP/1.0\r\n" rest
#define POST(rest)  "POST / HTTP/1.1\r\nHost: a\r\n" rest

static const struct example lines[] = {
    EXAMPLE("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "done 27 GET(0) / host=a 1.1 keep 1:Host=a"),
    EXAMPLE("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\nbehind", "done 29 HEAD(1) /x host=a 1.1 keep 1:Host=a"),
    EXAMPLE("POST /x HTTP/1.1\r\nHost: a\r\n\r\n", "done 29 POST(2) /x host=a 1.1 keep 1:Host=a"),
    EXAMPLE("PUT /x HTTP/1.1\r\nHost: a\r\n\r\n", "done 28 PUT(3) /x host=a 1.1 keep 1:Host=a"),
    EXAMPLE("DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n", "405 method-refused @0 DELETE|/x"),
    EXAMPLE("PATCH /x HTTP/1.1\r\nHost: a\r\n\r\n", "405 method-refused @0 PATCH|/x"),
    EXAMPLE("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "405 method-refused @0 CONNECT|a:80"),
    EXAMPLE("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "405 method-refused @0 TRACE|/"),
    EXAMPLE("CONNECT  HTTP/1.1\r\n", "400 request-line @8 CONNECT|"),
    EXAMPLE("get / HTTP/1.1\r\nHost: a\r\n\r\n", "501 method-unknown @0 get|/"),
    EXAMPLE("GETT / HTTP/1.1\r\nHost: a\r\n\r\n", "501 method-unknown @0 GETT|/"),
    EXAMPLE("GE / HTTP/1.1\r\nHost: a\r\n\r\n", "501 method-unknown @0 GE|/"),
    EXAMPLE("OPTIONSS / HTTP/1.1\r\nHost: a\r\n\r\n", "501 method-unknown @0 OPTIONSS|/"),
    EXAMPLE("X!#$%&'*+-.^_`|~9 / HTTP/1.1\r\n", "501 method-unknown @0 X!#$%&'*+-.^_`|~9|/"),
    EXAMPLE("PROPFIND /dav HTTP/2.0\r\n", "505 version @19 PROPFIND|/dav"),
    EXAMPLE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 version @11 PRI|*"),
    EXAMPLE(" GET / HTTP/1.1\r\n", "400 request-line @0 |"),
    EXAMPLE("GET  / HTTP/1.1\r\n", "400 request-line @4 GET|"),
    EXAMPLE("GET\t/ HTTP/1.1\r\n", "400 method @3 GET|"),
    EXAMPLE("GET\v/ HTTP/1.1\r\n", "400 control @3 GET|"),
    EXAMPLE("GET\r/ HTTP/1.1\r\n", "400 request-line @3 GET|"),
    EXAMPLE("GET\r\n\r\n", "400 request-line @3 GET|"),
    EXAMPLE("GET\n", "400 line-end @3 GET|"),
    EXAMPLE("GET /\r\n\r\n", "400 request-line @5 GET|/"),
    EXAMPLE("GET /\n", "400 line-end @5 GET|/"),
    EXAMPLE("GET / HTTP/1.1 \r\n", "400 request-line @14 GET|/"),
    EXAMPLE("GET / HTTP/1.1 HTTP/1.0\r\n", "400 request-line @14 GET|/"),
    EXAMPLE("/ HTTP/1.1\r\n", "400 method @0 |"),
    EXAMPLE("GE(T / HTTP/1.1\r\n", "400 method @2 GE|"),
    EXAMPLE("GET: / HTTP/1.1\r\n", "400 method @3 GET|"),
    EXAMPLE("G\0"
            "ET / HTTP/1.1\r\n",
            "400 control @1 G|"),
    EXAMPLE("G\xC9T / HTTP/1.1\r\n", "400 method @1 G|"),
    EXAMPLE("HTTP/1.1 200 OK\r\n", "400 method @4 HTTP|"),
    EXAMPLE("\x16\x03\x01", "400 control @0 |"),
    EXAMPLE("SSH-2.0-OpenSSH_9.2p1\r\n", "400 request-line @21 SSH-2.0-OpenSSH_9.2p1|"),
    EXAMPLE("PROXY TCP4 203.0.113.61 10.0.0.1 4000 80\r\n", "400 target @6 PROXY|TCP4"),
    EXAMPLE("G", "more"),
    EXAMPLE("GET", "more"),
    EXAMPLE("GET ", "more"),
    EXAMPLE("GET /", "more"),
    EXAMPLE("GET / ", "more"),
    EXAMPLE("", "more"),
};

static const struct example targets[] = {
    EXAMPLE("GET /a//b/../c?x=/&y=%zz%00{|}\\^`\"<> HTTP/1.1\r\nHost: a\r\n\r\n",
            "done 58 GET(0) /a//b/../c?x=/&y=%zz%00{|}\\^`\"<> host=a 1.1 keep 1:Host=a"),
    EXAMPLE("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "done 31 OPTIONS(5) * host=a 1.1 keep 1:Host=a"),
    EXAMPLE("GET * HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|*"),
    EXAMPLE("OPTIONS */x HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @8 OPTIONS|*/x"),
    EXAMPLE("GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|a:80"),
    EXAMPLE("GET latest HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|latest"),
    EXAMPLE("GET ?x HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|?x"),
    EXAMPLE("GET \\x HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|\\x"),
    EXAMPLE("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "400 version @7 GET|/a"),
    EXAMPLE("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @6 GET|/a"),
    EXAMPLE("GET /a\0"
            "b HTTP/1.1\r\n",
            "400 control @6 GET|/a"),
    EXAMPLE("GET /a\x7F HTTP/1.1\r\n", "400 control @6 GET|/a"),
    EXAMPLE("GET /a\tb HTTP/1.1\r\n", "400 target @6 GET|/a"),
    EXAMPLE("GET /caf\xC3\xA9 HTTP/1.1\r\n", "400 target @8 GET|/caf"),
    EXAMPLE("GET http://b/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "done 38 GET(0) /x?y host=b 1.1 keep 1:Host=a"),
    EXAMPLE("GET HTTP://b:8080/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "done 40 GET(0) / host=b:8080 1.1 keep 1:Host=a"),
    EXAMPLE("GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", "done 34 GET(0)  host=b 1.1 keep 1:Host=a"),
    EXAMPLE("GET http://b?x HTTP/1.1\r\nHost: a\r\n\r\n", "done 36 GET(0) ?x host=b 1.1 keep 1:Host=a"),
    EXAMPLE("OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", "done 38 OPTIONS(5)  host=b 1.1 keep 1:Host=a"),
    EXAMPLE("GET http://[fe80::a9fe:a9fe]:80/ HTTP/1.1\r\nHost:\r\n\r\n",
            "done 52 GET(0) / host=[fe80::a9fe:a9fe]:80 1.1 keep 1:Host="),
    EXAMPLE("GET http://b/ HTTP/1.0\r\n\r\n", "done 26 GET(0) / host=b 1.0 close"),
    EXAMPLE("GET http://b/ HTTP/1.1\r\n\r\n", "400 host @25 GET|/"),
    EXAMPLE("GET http://b/ HTTP/1.1\r\nHost: a/b\r\n\r\n", "400 host @30 GET|/"),
    EXAMPLE("GET http://u:p@b/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|http://u:p@b/"),
    EXAMPLE("GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|http:///"),
    EXAMPLE("GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|http://"),
    EXAMPLE("GET http:/b HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|http:/b"),
    EXAMPLE("GET http: HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|http:"),
    EXAMPLE("GET http://:80/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|http://:80/"),
    EXAMPLE("GET http://?x HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|http://?x"),
    EXAMPLE("GET http://b:99999/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|http://b:99999/"),
    EXAMPLE("GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|http://[::1/"),
    EXAMPLE("GET https://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|https://b/"),
    EXAMPLE("GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|ftp://b/"),
    EXAMPLE("GET httpx//b/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 target @4 GET|httpx//b/"),
};

static const struct example versions[] = {
    EXAMPLE("GET / HTTP/1.0\r\n\r\n", "done 18 GET(0) / host= 1.0 close"),
    EXAMPLE("GET / HTTP/1.2\r\nHost: a\r\n\r\n", "done 27 GET(0) / host=a 1.1 keep 1:Host=a"),
    EXAMPLE("GET / HTTP/1.9\r\n\r\n", "400 host @17 GET|/"),
    EXAMPLE("GET / HTTP/2.0\r\n", "505 version @11 GET|/"),
    EXAMPLE("GET / HTTP/0.9\r\n", "505 version @11 GET|/"),
    EXAMPLE("GET / HTTP/3\r\n", "505 version @11 GET|/"),
    EXAMPLE("GET / HTTP/4294967297.1\r\n", "505 version @11 GET|/"),
    EXAMPLE("GET / http/1.1\r\n", "400 version @6 GET|/"),
    EXAMPLE("GET / HTTP/1.10\r\n", "400 version @14 GET|/"),
    EXAMPLE("GET / HTTP/1.\r\n", "400 version @13 GET|/"),
    EXAMPLE("GET / HTTP/1\r\n", "400 version @12 GET|/"),
    EXAMPLE("GET / HTTP/1,1\r\n", "400 version @12 GET|/"),
    EXAMPLE("GET / XHTTP/1.1\r\n", "400 version @6 GET|/"),
    EXAMPLE("GET / HTTP/+1.1\r\n", "400 version @11 GET|/"),
    EXAMPLE("GET / HTTP/ 1.1\r\n", "400 version @11 GET|/"),
    EXAMPLE("GET / HTTP\\1.1\r\n", "400 version @10 GET|/"),
    EXAMPLE("GET / ICE/1.0\r\n", "400 version @6 GET|/"),
    EXAMPLE("GET / HTTP/1.1\0\r\n", "400 control @14 GET|/"),
    EXAMPLE("GET / HTTP/1.\x81\r\n", "400 version @13 GET|/"),
    EXAMPLE("GET / HTTP/1.1x\r\n", "400 version @14 GET|/"),
    EXAMPLE("GET / \r\n", "400 version @6 GET|/"),
    EXAMPLE("GET / HT\n", "400 line-end @8 GET|/"),
};

static const struct example ends[] = {
    EXAMPLE("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "done 29 GET(0) / host=a 1.1 keep 1:Host=a"),
    EXAMPLE("\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "done 35 GET(0) / host=a 1.1 keep 1:Host=a"),
    EXAMPLE("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 request-line @8 |"),
    EXAMPLE("\r\n", "more"),
    EXAMPLE("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 line-end @0 |"),
    EXAMPLE("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 line-end @1 |"),
    EXAMPLE("\r\n\r\n\0\r\nQUIT\n", "400 control @4 |"),
    EXAMPLE("GET / HTTP/1.1\nHost: a\n\n", "400 line-end @14 GET|/"),
    EXAMPLE("GET / HTTP/1.1\rHost: a\r\r", "400 line-end @15 GET|/"),
    EXAMPLE("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", "400 line-end @15 GET|/"),
    EXAMPLE("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "400 line-end @23 GET|/"),
    EXAMPLE("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "400 line-end @24 GET|/"),
    EXAMPLE("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "400 line-end @24 GET|/"),
    EXAMPLE("GET / HTTP/1.1\r\nHost: a\r\n\n", "400 line-end @25 GET|/"),
    EXAMPLE("GET / HTTP/1.1\r\nHost: a\r\n\rZ", "400 line-end @26 GET|/"),
    EXAMPLE("GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", "400 line-end @26 GET|/"),
    EXAMPLE("GET / HTTP/1.1\r\nHost: a\r\n", "more"),
    EXAMPLE("GET / HTTP/1.1\r\nHost: a\r\n\r", "more"),
    EXAMPLE("GET / HTTP/1.1\r", "more"),
};

static const struct example fields[] = {
    EXAMPLE(GET("Host: a\r\nX-A:\t  v1 \t\r\nX-B:\r\nX-C: a\tb\r\n\r\n"),
            "done 56 GET(0) / host=a 1.1 keep 1:Host=a 0:X-A=v1 0:X-B= 0:X-C=a\\x09b"),
    EXAMPLE(GET("Host: a\r\nX!#$%&'*+.^_`|~9: b:c::d, \"e;f\"\r\n\r\n"),
            "done 60 GET(0) / host=a 1.1 keep 1:Host=a 0:X!#$%&'*+.^_`|~9=b:c::d, \"e;f\""),
    EXAMPLE(GET("Host: a\r\nX-A: caf\xE9\x85\xFF\r\n\r\n"),
            "done 40 GET(0) / host=a 1.1 keep 1:Host=a 0:X-A=caf\\xE9\\x85\\xFF"),
    EXAMPLE(GET("HOST:a\r\nX-Forwarded-For: 1\r\nX_Forwarded_For: 2\r\n\r\n"),
            "done 66 GET(0) / host=a 1.1 keep 1:HOST=a 0:X-Forwarded-For=1 0:X_Forwarded_For=2"),
    EXAMPLE(GET("Host: a\r\nX:   \r\n\r\n"), "done 34 GET(0) / host=a 1.1 keep 1:Host=a 0:X="),
    EXAMPLE(GET("Host: a\r\nX : b\r\n\r\n"), "400 field @26 GET|/"),
    EXAMPLE(GET("Host: a\r\nX\t: b\r\n\r\n"), "400 field @26 GET|/"),
    EXAMPLE(GET("Host: a\r\n: b\r\n\r\n"), "400 field @25 GET|/"),
    EXAMPLE(GET("Host: a\r\nJustAName\r\n\r\n"), "400 field @34 GET|/"),
    EXAMPLE(GET("Host: a\r\nJustAName\n"), "400 line-end @34 GET|/"),
    EXAMPLE(GET("Host: a\r\nX(a): b\r\n\r\n"), "400 field @26 GET|/"),
    EXAMPLE(GET("Host: a\r\nX\"a: b\r\n\r\n"), "400 field @26 GET|/"),
    EXAMPLE(GET("Host: a\r\nX A: b\r\n\r\n"), "400 field @26 GET|/"),
    EXAMPLE(GET("Host: a\r\nX\0"
                "A: b\r\n\r\n"),
            "400 control @26 GET|/"),
    EXAMPLE(GET("Host: a\r\nX\x0B"
                "A: b\r\n\r\n"),
            "400 control @26 GET|/"),
    EXAMPLE(GET("Host: a\r\nX\xE9: b\r\n\r\n"), "400 field @26 GET|/"),
    EXAMPLE(GET("Host: a\r\n\xA0X: b\r\n\r\n"), "400 field @25 GET|/"),
    EXAMPLE(GET("Host: a\r\n\0X: b\r\n\r\n"), "400 control @25 GET|/"),
    EXAMPLE(GET("Host: a\r\nX: a\0"
                "b\r\n\r\n"),
            "400 control @29 GET|/"),
    EXAMPLE(GET("Host: a\r\nX: a\x01\r\n\r\n"), "400 control @29 GET|/"),
    EXAMPLE(GET("Host: a\r\nX: a\x7F\r\n\r\n"), "400 control @29 GET|/"),
    EXAMPLE(GET("Host: a\r\nX:\x0B\r\n\r\n"), "400 control @27 GET|/"),
    EXAMPLE(GET(" X: b\r\nHost: a\r\n\r\n"), "400 folded @16 GET|/"),
    EXAMPLE(GET("Host: a\r\nX: a\r\n b\r\n\r\n"), "400 folded @31 GET|/"),
    EXAMPLE(GET("Host: a\r\nX: a\r\n\tb\r\n\r\n"), "400 folded @31 GET|/"),
    EXAMPLE(GET("Host: a\r\nX: a\r\n \r\n\r\n"), "400 folded @31 GET|/"),
    EXAMPLE(GET("Host: a\r\nX\r\n -A: b\r\n\r\n"), "400 field @26 GET|/"),
    EXAMPLE(GET("Host: a\r\n .evil\r\n\r\n"), "400 folded @25 GET|/"),
    EXAMPLE(GET("Content-Length: 99999\r\n 5\r\n\r\n"), "400 folded @39 GET|/"),
    EXAMPLE(GET("Transfer-Encoding: gzip\r\n , chunked\r\n\r\n"), "400 folded @41 GET|/"),
    EXAMPLE(GET("Expect:\r\n 100-continue\r\n\r\n"), "400 folded @25 GET|/"),
};

static const struct example hosts[] = {
    EXAMPLE(GET("Host: 169.254.169.254\r\n\r\n"),
            "done 41 GET(0) / host=169.254.169.254 1.1 keep 1:Host=169.254.169.254"),
    EXAMPLE(GET("Host: h.test:80\r\n\r\n"), "done 35 GET(0) / host=h.test:80 1.1 keep 1:Host=h.test:80"),
    EXAMPLE(GET("Host: h:\r\n\r\n"), "done 28 GET(0) / host=h: 1.1 keep 1:Host=h:"),
    EXAMPLE(GET("Host: h:0\r\n\r\n"), "done 29 GET(0) / host=h:0 1.1 keep 1:Host=h:0"),
    EXAMPLE(GET("Host: h:65535\r\n\r\n"), "done 33 GET(0) / host=h:65535 1.1 keep 1:Host=h:65535"),
    EXAMPLE(GET("Host: [::1]\r\n\r\n"), "done 31 GET(0) / host=[::1] 1.1 keep 1:Host=[::1]"),
    EXAMPLE(GET("Host: [::]\r\n\r\n"), "done 30 GET(0) / host=[::] 1.1 keep 1:Host=[::]"),
    EXAMPLE(GET("Host: [fe80::a9fe:a9fe]:80\r\n\r\n"),
            "done 46 GET(0) / host=[fe80::a9fe:a9fe]:80 1.1 keep 1:Host=[fe80::a9fe:a9fe]:80"),
    EXAMPLE(GET("Host: [fe80::a9fe:a9fe%25eth0]\r\n\r\n"),
            "done 50 GET(0) / host=[fe80::a9fe:a9fe%25eth0] 1.1 keep 1:Host=[fe80::a9fe:a9fe%25eth0]"),
    EXAMPLE(GET("Host: [fe80::a9fe:a9fe%eth0]:80\r\n\r\n"),
            "done 51 GET(0) / host=[fe80::a9fe:a9fe%eth0]:80 1.1 keep 1:Host=[fe80::a9fe:a9fe%eth0]:80"),
    EXAMPLE(GET("Host: [fe80::1%252]\r\n\r\n"),
            "done 39 GET(0) / host=[fe80::1%252] 1.1 keep 1:Host=[fe80::1%252]"),
    EXAMPLE(GET("Host: [1:2:3:4:5:6:7:8]\r\n\r\n"),
            "done 43 GET(0) / host=[1:2:3:4:5:6:7:8] 1.1 keep 1:Host=[1:2:3:4:5:6:7:8]"),
    EXAMPLE(GET("Host: [1:2:3:4:5:6:1.2.3.4]\r\n\r\n"),
            "done 47 GET(0) / host=[1:2:3:4:5:6:1.2.3.4] 1.1 keep 1:Host=[1:2:3:4:5:6:1.2.3.4]"),
    EXAMPLE(GET("Host: [::ffff:1.2.3.4]\r\n\r\n"),
            "done 42 GET(0) / host=[::ffff:1.2.3.4] 1.1 keep 1:Host=[::ffff:1.2.3.4]"),
    EXAMPLE(GET("Host: [1::]\r\n\r\n"), "done 31 GET(0) / host=[1::] 1.1 keep 1:Host=[1::]"),
    EXAMPLE(GET("Host: [1:2:3:4:5:6:7::]\r\n\r\n"),
            "done 43 GET(0) / host=[1:2:3:4:5:6:7::] 1.1 keep 1:Host=[1:2:3:4:5:6:7::]"),
    EXAMPLE(GET("Host: [FE80::A]\r\n\r\n"), "done 35 GET(0) / host=[FE80::A] 1.1 keep 1:Host=[FE80::A]"),
    EXAMPLE(GET("Host: a%41b\r\n\r\n"), "done 31 GET(0) / host=a%41b 1.1 keep 1:Host=a%41b"),
    EXAMPLE(GET("Host: a-b_c~d.e\r\n\r\n"), "done 35 GET(0) / host=a-b_c~d.e 1.1 keep 1:Host=a-b_c~d.e"),
    EXAMPLE(GET("Host: \r\n\r\n"), "done 26 GET(0) / host= 1.1 keep 1:Host="),
    EXAMPLE(GET("Host:   a  \r\n\r\n"), "done 31 GET(0) / host=a 1.1 keep 1:Host=a"),
    EXAMPLE(GET("Host: a b\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: a/b\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: u@h\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: h:port\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: h:80:80\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: h:65536\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: h:000080\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: :80\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: h#x\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: h\\x\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: http://h/\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: <h>\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: h\x80\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: a,b\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: a%4\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: a%4g\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: a%\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: %\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: []\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [::1\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: ::1\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [::1]x\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [::1]:x\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [:1]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [1:]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [1:::2]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [1::2::3]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [1:2:3:4:5:6:7]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [1:2:3:4:5:6:7:8:9]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [1:2:3:4:5:6:7:8::]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [12345::]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [g::]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [v1.x]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [1.2.3.4]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [::1.2.3]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [::1.2.3.256]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [::1.2.3.04]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [::1.2.3.4.5]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [::1.2.3.4:5]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [1:2:3:4:5:6:7:1.2.3.4]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [fe80::1%]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [fe80::1%25]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [fe80::1%25a/b]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [fe80::1%25e%30]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [fe80::1%abcdefghijklmnopqrstuvwxyz1234567]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [%25eth0]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [::1]]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: h]\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [fe80::1%25eth0\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("Host: [1:2:3:4:5:6:7:8\r\n\r\n"), "400 host @22 GET|/"),
    EXAMPLE(GET("\r\n"), "400 host @17 GET|/"),
    EXAMPLE(GET("Host: a\r\nHost: a\r\n\r\n"), "400 host @25 GET|/"),
    EXAMPLE(GET("Host: a\r\nX: 1\r\nhost: b\r\n\r\n"), "400 host @31 GET|/"),
    EXAMPLE(GET("Host:\r\nHost: b\r\n\r\n"), "400 host @23 GET|/"),
    EXAMPLE(GET10("Host: a\r\nHost: b\r\n\r\n"), "400 host @25 GET|/"),
    EXAMPLE(GET10("Host: b\r\n\r\n"), "done 27 GET(0) / host=b 1.0 close 1:Host=b"),
    EXAMPLE(GET("Ho_st: b\r\n\r\n"), "400 host @27 GET|/"),
};

static const struct example bodies[] = {
    EXAMPLE(POST("Content-Length: 5\r\n\r\n"),
            "done 47 POST(2) / host=a 1.1 keep length=5 1:Host=a 2:Content-Length=5"),
    EXAMPLE(POST("Content-Length: 0\r\n\r\n"),
            "done 47 POST(2) / host=a 1.1 keep length=0 1:Host=a 2:Content-Length=0"),
    EXAMPLE(POST("Content-Length:\t 5 \t\r\n\r\n"),
            "done 50 POST(2) / host=a 1.1 keep length=5 1:Host=a 2:Content-Length=5"),
    EXAMPLE(POST("Content-Length: 0005\r\n\r\n"),
            "done 50 POST(2) / host=a 1.1 keep length=5 1:Host=a 2:Content-Length=0005"),
    EXAMPLE(POST("Content-Length: 3072\r\n\r\n"),
            "done 50 POST(2) / host=a 1.1 keep length=3072 1:Host=a 2:Content-Length=3072"),
    EXAMPLE(POST("Content-Length: 3073\r\n\r\n"), "413 body-long @42 POST|/"),
    EXAMPLE(POST("Content-Length: 18446744073709551616\r\n\r\n"), "413 body-long @42 POST|/"),
    EXAMPLE(POST("Content-Length: 18446744073709551621\r\n\r\n"), "413 body-long @42 POST|/"),
    EXAMPLE(POST("Content-Length: 4294967301\r\n\r\n"), "413 body-long @42 POST|/"),
    EXAMPLE(POST("Content-Length: 99999999999999999999999999999999999999999\r\n\r\n"),
            "413 body-long @42 POST|/"),
    EXAMPLE(POST("Content-Length: \r\n\r\n"), "400 length @42 POST|/"),
    EXAMPLE(POST("Content-Length: +5\r\n\r\n"), "400 length @42 POST|/"),
    EXAMPLE(POST("Content-Length: -1\r\n\r\n"), "400 length @42 POST|/"),
    EXAMPLE(POST("Content-Length: 0x5\r\n\r\n"), "400 length @42 POST|/"),
    EXAMPLE(POST("Content-Length: 5_0\r\n\r\n"), "400 length @42 POST|/"),
    EXAMPLE(POST("Content-Length: 5.0\r\n\r\n"), "400 length @42 POST|/"),
    EXAMPLE(POST("Content-Length: 5;a\r\n\r\n"), "400 length @42 POST|/"),
    EXAMPLE(POST("Content-Length: \"5\"\r\n\r\n"), "400 length @42 POST|/"),
    EXAMPLE(POST("Content-Length: abc\r\n\r\n"), "400 length @42 POST|/"),
    EXAMPLE(POST("Content-Length: 5, 5\r\n\r\n"), "400 length @42 POST|/"),
    EXAMPLE(POST("Content-Length: 5,\r\n\r\n"), "400 length @42 POST|/"),
    EXAMPLE(POST("Content-Length: \xA0"
                 "5\r\n\r\n"),
            "400 length @42 POST|/"),
    EXAMPLE(POST("Content-Length: \xEF\xBC\x95\r\n\r\n"), "400 length @42 POST|/"),
    EXAMPLE(POST("Content-Length: 5 5\r\n\r\n"), "400 length @42 POST|/"),
    EXAMPLE(POST("Content-Length: \x0B"
                 "5\r\n\r\n"),
            "400 control @42 POST|/"),
    EXAMPLE(POST("Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), "400 length @45 POST|/"),
    EXAMPLE(POST("Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), "400 length @45 POST|/"),
    EXAMPLE(POST("Content-Length:\r\nContent-Length: 5\r\n\r\n"), "400 length @41 POST|/"),
    EXAMPLE(POST("Content_Length: 9\r\nContent-Length: 5\r\n\r\n"),
            "done 66 POST(2) / host=a 1.1 keep length=5 1:Host=a 0:Content_Length=9 2:Content-Length=5"),
    EXAMPLE(POST("Transfer-Encoding: chunked\r\n\r\n"),
            "done 56 POST(2) / host=a 1.1 keep chunked 1:Host=a 3:Transfer-Encoding=chunked"),
    EXAMPLE(POST("TRANSFER-ENCODING:\t CHUNKED \r\n\r\n"),
            "done 58 POST(2) / host=a 1.1 keep chunked 1:Host=a 3:TRANSFER-ENCODING=CHUNKED"),
    EXAMPLE(
        POST("Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
        "done 75 POST(2) / host=a 1.1 keep length=5 1:Host=a 0:Transfer_Encoding=chunked 2:Content-Length=5"),
    EXAMPLE(POST("Transfer-Encoding: gzip\r\n\r\n"), "501 coding-unknown @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: identity\r\n\r\n"), "501 coding-unknown @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: xchunked\r\n\r\n"), "501 coding-unknown @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: chunk\r\n\r\n"), "501 coding-unknown @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: chunked-false\r\n\r\n"), "501 coding-unknown @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: \r\n\r\n"), "400 coding @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: gzip, chunked\r\n\r\n"), "400 coding @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: chunked, gzip\r\n\r\n"), "400 coding @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: chunked, chunked\r\n\r\n"), "400 coding @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: ,chunked\r\n\r\n"), "400 coding @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: chunked,\r\n\r\n"), "400 coding @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: \"chunked\"\r\n\r\n"), "400 coding @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: chunked;a=b\r\n\r\n"), "400 coding @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: cow chunked\r\n\r\n"), "400 coding @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: [chunked]\r\n\r\n"), "400 coding @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: \xFF"
                 "chunked\r\n\r\n"),
            "400 coding @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: chunked:\r\n\r\n"), "400 coding @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: ch\x96nked\r\n\r\n"), "400 coding @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: \x0B"
                 "chunked\r\n\r\n"),
            "400 control @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "400 coding @54 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"),
            "400 coding @54 POST|/"),
    EXAMPLE("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400 coding @17 POST|/"),
    EXAMPLE(POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "400 length-and-coding @45 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
            "400 length-and-coding @54 POST|/"),
    EXAMPLE(POST("Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n"),
            "400 length-and-coding @54 POST|/"),
    EXAMPLE(POST("Content-Length: 5\r\nTransfer-Encoding: cow\r\n\r\n"), "400 length-and-coding @45 POST|/"),
    EXAMPLE(GET("Host: a\r\nContent-Length: 5\r\n\r\n"),
            "done 46 GET(0) / host=a 1.1 keep length=5 1:Host=a 2:Content-Length=5"),
};

static const struct example connections[] = {
    EXAMPLE(GET("Host: a\r\nConnection: close\r\n\r\n"),
            "done 46 GET(0) / host=a 1.1 close 1:Host=a 4:Connection=close"),
    EXAMPLE(GET("Host: a\r\nConnection: CLOSE, x\r\n\r\n"),
            "done 49 GET(0) / host=a 1.1 close 1:Host=a 4:Connection=CLOSE, x"),
    EXAMPLE(GET("Host: a\r\nConnection: , ,x ,\tClose\t,\r\n\r\n"),
            "done 55 GET(0) / host=a 1.1 close 1:Host=a 4:Connection=, ,x ,\\x09Close\\x09,"),
    EXAMPLE(GET("Host: a\r\nConnection: closed\r\n\r\n"),
            "done 47 GET(0) / host=a 1.1 keep 1:Host=a 4:Connection=closed"),
    EXAMPLE(GET("Host: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n"),
            "done 70 GET(0) / host=a 1.1 close 1:Host=a 4:Connection=keep-alive 4:Connection=close"),
    EXAMPLE(GET("Host: a\r\nConnection:\r\n\r\n"), "done 40 GET(0) / host=a 1.1 keep 1:Host=a 4:Connection="),
    EXAMPLE(GET("Host: a\r\nConnection: x, \"close\"\r\n\r\n"), "400 field @40 GET|/"),
    EXAMPLE(GET("Host: a\r\nConnection: close x\r\n\r\n"), "400 field @37 GET|/"),
    EXAMPLE(GET10("Connection: Keep-Alive\r\n\r\n"),
            "done 42 GET(0) / host= 1.0 keep 4:Connection=Keep-Alive"),
    EXAMPLE(GET10("Connection: keep-alive, close\r\n\r\n"),
            "done 49 GET(0) / host= 1.0 close 4:Connection=keep-alive, close"),
    EXAMPLE(GET10("Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
            "done 53 GET(0) / host= 1.0 close 4:Connection=upgrade 0:Upgrade=h2c"),
    EXAMPLE(GET("Host: a\r\nProxy-Connection: close\r\n\r\n"),
            "done 52 GET(0) / host=a 1.1 keep 1:Host=a 0:Proxy-Connection=close"),
    EXAMPLE(GET("Host: a\r\nExpect: 100-Continue\r\n\r\n"),
            "done 49 GET(0) / host=a 1.1 keep continue 1:Host=a 5:Expect=100-Continue"),
    EXAMPLE("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
            "done 60 POST(2) / host= 1.0 close length=5 5:Expect=100-continue 2:Content-Length=5"),
    EXAMPLE(GET("Host: a\r\nExpect: tea\r\n\r\n"), "417 expect @33 GET|/"),
    EXAMPLE(GET("Host: a\r\nExpect:\r\n\r\n"), "417 expect @32 GET|/"),
    EXAMPLE(GET("Host: a\r\nExpect: y 100-continue\r\n\r\n"), "417 expect @33 GET|/"),
    EXAMPLE(GET("Host: a\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n\r\n"), "417 expect @47 GET|/"),
    EXAMPLE("POST / HTTP/1.0\r\nExpect: tea\r\n\r\n", "417 expect @25 POST|/"),
};

static void check_all(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(examples[i].input, examples[i].length, &standard, examples[i].expected);
}

#define TABLE_TEST(table)                                                                                    \
    static void test_##table(void **state)                                                                   \
    {                                                                                                        \
        (void)state;                                                                                         \
        check_all(table, sizeof(table) / sizeof((table)[0]));                                                \
    }

TABLE_TEST(lines)
TABLE_TEST(targets)
TABLE_TEST(versions)
TABLE_TEST(ends)
TABLE_TEST(fields)
TABLE_TEST(hosts)
TABLE_TEST(bodies)
TABLE_TEST(connections)

/* The longest request line that passes, and one byte more. */
static void test_limit_of_the_line(void **state)
{
    (void)state;
    static const char rest[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
    char input[160], expected[160];
    for (unsigned over = 0; over < 2; over++) {
        const int target = (int)(standard.line - strlen("GET  HTTP/1.1") + over);
        const int length = snprintf(input, sizeof input, "GET /%0*d%s", target - 1, 0, rest);
        if (over)
            snprintf(expected, sizeof expected, "414 request-line-long @64 GET|/%0*d", target - 1, 0);
        else
            snprintf(expected, sizeof expected, "done 77 GET(0) /%0*d host=a 1.1 keep 1:Host=a", target - 1,
                     0);
        check(input, (size_t)length, &standard, expected);
    }
}

static void test_line_that_never_ends(void **state)
{
    (void)state;
    char input[200], expected[200];
    memset(input, 'A', sizeof input);
    snprintf(expected, sizeof expected, "414 request-line-long @64 %.64s|", input);
    check(input, sizeof input, &standard, expected);
    /* a byte that no method holds is seen before the limit, not behind it */
    input[63] = '(';
    snprintf(expected, sizeof expected, "400 method @63 %.63s|", input);
    check(input, sizeof input, &standard, expected);
    input[63] = 'A';
    input[64] = '(';
    snprintf(expected, sizeof expected, "414 request-line-long @64 %.64s|", input);
    check(input, sizeof input, &standard, expected);
}

/* The limit counts every byte of the head: empty lines, both line ends at the end. */
static void test_limit_of_the_head(void **state)
{
    (void)state;
    static const char input[] = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    struct http_limits limits = standard;
    limits.head = sizeof input - 1;
    check(input, sizeof input - 1, &limits, "done 29 GET(0) / host=a 1.1 keep 1:Host=a");
    limits.head--;
    check(input, sizeof input - 1, &limits, "431 head-long @28 GET|/");
    limits.head = 9;
    check(input, sizeof input - 1, &limits, "431 head-long @9 GET|/");
}

static void test_head_that_never_ends(void **state)
{
    (void)state;
    char input[700] = "GET / HTTP/1.1\r\nX: ";
    memset(input + 19, 'v', sizeof input - 19);
    check(input, sizeof input, &standard, "431 head-long @512 GET|/");
}

static void test_limit_of_the_fields(void **state)
{
    (void)state;
    static const char most[] = GET("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nHost: a\r\n\r\n");
    static const char over[] = GET("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nHost: a\r\nE: 5\r\n\r\n");
    check(most, sizeof most - 1, &standard,
          "done 51 GET(0) / host=a 1.1 keep 0:A=1 0:B=2 0:C=3 0:D=4 1:Host=a");
    check(over, sizeof over - 1, &standard, "431 fields-many @49 GET|/");
}

/* Limits that the settings would not allow can't make the parser write beyond its own array or count. */
static void test_limits_beyond_the_structure(void **state)
{
    (void)state;
    static const struct http_limits wide = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    static char input[70000];
    size_t used = (size_t)snprintf(input, sizeof input, "GET / HTTP/1.1\r\n");
    for (unsigned i = 0; i <= HTTP_FIELDS_CAP; i++)
        used += (size_t)snprintf(input + used, sizeof input - used, "A: 1\r\n");
    static struct shown shown;
    parse_once(&shown, guard_at_end(input, used), used, &wide);
    assert_string_equal(shown.text, "431 fields-many @784 GET|/");
    memset(input + 16, 'a', sizeof input - 16);
    parse_once(&shown, guard_at_end(input, 65535), 65535, &wide);
    assert_string_equal(shown.text, "more");
}

/* Every byte in every place of a small request: the verdicts are those of the grammar, computed another way.
 */
static bool token(unsigned byte)
{
    return byte > 0x20 && byte < 0x7F && !strchr("\"(),/:;<=>?@[\\]{}", (int)byte);
}

static void test_every_byte(void **state)
{
    (void)state;
    static struct shown shown;
    for (unsigned byte = 0; byte < 256; byte++) {
        char name[] = GET("Host: a\r\nX_Y: b\r\n\r\n");
        char value[] = GET("Host: a\r\nXY: b_b\r\n\r\n"), method[] = "PO_T / HTTP/1.1\r\nHost: a\r\n\r\n";
        char wide[] = "GET /_ HTTP/1.1\r\nHost: a\r\n\r\n";
        *strchr(name, '_') = *strchr(value, '_') = *strchr(method, '_') = *strchr(wide, '_') = (char)byte;
        parse_once(&shown, guard_at_end(name, sizeof name - 1), sizeof name - 1, &standard);
        /* ':' ends the name early, and what follows is a value */
        assert_int_equal(shown.text[0] == 'd', token(byte) || byte == ':');
        parse_once(&shown, guard_at_end(value, sizeof value - 1), sizeof value - 1, &standard);
        assert_int_equal(shown.text[0] == 'd', byte == '\t' || (byte >= 0x20 && byte != 0x7F));
        parse_once(&shown, guard_at_end(wide, sizeof wide - 1), sizeof wide - 1, &standard);
        assert_int_equal(shown.text[0] == 'd', byte > 0x20 && byte < 0x7F && byte != '#');
        parse_once(&shown, guard_at_end(method, sizeof method - 1), sizeof method - 1, &standard);
        assert_int_equal(strncmp(shown.text, "400", 3) != 0, token(byte));
    }
}

static void test_reason_ids(void **state)
{
    (void)state;
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        const char *id = http_reason_id((enum http_reason)reason);
        assert_in_range(strlen(id), 1, 22);
        for (int other = 0; other < reason; other++)
            assert_string_not_equal(id, http_reason_id((enum http_reason)other));
    }
    assert_string_equal(http_reason_id(REASON_COUNT), "?");
    assert_string_equal(http_reason_id((enum http_reason) - 1), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_limit_of_the_line),
        cmocka_unit_test(test_line_that_never_ends),
        cmocka_unit_test(test_limit_of_the_head),
        cmocka_unit_test(test_head_that_never_ends),
        cmocka_unit_test(test_limit_of_the_fields),
        cmocka_unit_test(test_limits_beyond_the_structure),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_reason_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
