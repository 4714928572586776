/*
 * Why a request was refused or an answer replaced: stable ids for log lines, counters and tests.
 *
 * An id never changes its meaning; new ones are added at the end. docs/operation.md lists them for operators.
 */
#ifndef METAWARD_IPC_REASON_H
#define METAWARD_IPC_REASON_H

/* REASON(identifier, id in the log, meaning) */
#define METAWARD_REASONS(REASON)                                                                             \
    REASON(REASON_NONE, "-", "nothing to say")                                                               \
    /* the guest's request */                                                                                \
    REASON(REASON_LINE_END, "line-end", "a bare CR or LF where CRLF must be")                                \
    REASON(REASON_CONTROL, "control", "a control character or NUL in the head")                              \
    REASON(REASON_METHOD, "method", "the method is no token")                                                \
    REASON(REASON_METHOD_UNKNOWN, "method-unknown", "a method that is not implemented")                      \
    REASON(REASON_METHOD_REFUSED, "method-refused", "a method that is never forwarded or not configured")    \
    REASON(REASON_TARGET, "target", "the request target is malformed")                                       \
    REASON(REASON_VERSION, "version", "not HTTP/1.x")                                                        \
    REASON(REASON_REQUEST_LINE, "request-line", "the request line is malformed")                             \
    REASON(REASON_LINE_LONG, "request-line-long", "the request line is longer than the limit")               \
    REASON(REASON_HEAD_LONG, "head-long", "the head is longer than the limit")                               \
    REASON(REASON_FIELDS_MANY, "fields-many", "more header fields than the limit")                           \
    REASON(REASON_FIELD, "field", "a header field is malformed")                                             \
    REASON(REASON_FOLDED, "folded", "a folded header line")                                                  \
    REASON(REASON_HOST, "host", "Host is missing, doubled or malformed")                                     \
    REASON(REASON_LENGTH, "length", "Content-Length is malformed or doubled")                                \
    REASON(REASON_LENGTH_AND_CODING, "length-and-coding", "Content-Length together with Transfer-Encoding")  \
    REASON(REASON_CODING, "coding", "Transfer-Encoding is malformed, doubled or out of place")               \
    REASON(REASON_CODING_UNKNOWN, "coding-unknown", "a transfer coding that is not implemented")             \
    REASON(REASON_BODY_LONG, "body-long", "the body is longer than the limit")                               \
    REASON(REASON_CHUNK, "chunk", "a malformed chunk or trailer")                                            \
    REASON(REASON_EXPECT, "expect", "an expectation other than 100-continue")                                \
    REASON(REASON_UPSTREAM_LONG, "upstream-long", "the request towards the agent would be too long")         \
    REASON(REASON_HEAD_SLOW, "head-slow", "the head did not come in time")                                   \
    REASON(REASON_BODY_SLOW, "body-slow", "the body did not come in time")                                   \
    REASON(REASON_CUT, "cut", "the guest ended in the middle of a request")                                  \
    REASON(REASON_GUEST_GONE, "guest-gone", "the guest went away before its answer")                         \
    REASON(REASON_GUEST_SLOW, "guest-slow", "the guest did not take its answer in time")                     \
    /* tables and limits */                                                                                  \
    REASON(REASON_EVICTED, "evicted", "gave way to another source when a table was full")                    \
    REASON(REASON_TABLE_FULL, "table-full", "no room for another connection")                                \
    REASON(REASON_DRAINING, "draining", "the proxy is going down")                                           \
    /* the agent */                                                                                          \
    REASON(REASON_AGENT_ABSENT, "agent-absent", "the agent's socket is absent or refuses")                   \
    REASON(REASON_AGENT_FORBIDDEN, "agent-forbidden",                                                        \
           "the worker's user may not connect to the agent's socket")                                        \
    REASON(REASON_AGENT_BUSY, "agent-busy", "the agent did not take the request in time")                    \
    REASON(REASON_AGENT_SLOW, "agent-slow", "the agent did not answer in time")                              \
    REASON(REASON_AGENT_SILENT, "agent-silent", "the agent closed without an answer")                        \
    REASON(REASON_AGENT_GARBAGE, "agent-garbage", "the agent's answer is malformed")                         \
    REASON(REASON_AGENT_CUT, "agent-cut", "the agent's answer ended before its length")                      \
    REASON(REASON_AGENT_ERROR, "agent-error", "the connection to the agent failed")                          \
    REASON(REASON_IDLE, "idle", "an idle connection was closed")                                             \
    REASON(REASON_RATE_LIMITED, "rate-limited", "more requests than a rate limit allows")                    \
    REASON(REASON_NETWORK_REMOVED, "network-removed", "the guest's network is served no more")               \
    REASON(REASON_GUEST_UNKNOWN, "guest-unknown", "no record has the guest's address")                       \
    REASON(REASON_STATS, "stats", "statistics are not shown to guests")

enum http_reason {
#define REASON(id, name, meaning) id,
    METAWARD_REASONS(REASON)
#undef REASON
        REASON_COUNT
};

/** The id for the log ("line-end"); "?" for a number that is none. A constant string. */
const char *http_reason_id(enum http_reason reason);

#endif
