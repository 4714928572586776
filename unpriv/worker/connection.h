/*
 * What the worker's data plane is made of: connections, their buffers, and the request at hand.
 *
 * A guest's connection is a small structure that lives as long as the connection. Everything big hangs on it
 * only while it is needed: the input buffer while bytes of a request are there, the exchange (a complete
 * request and its way to the agent and back) until its answer has been taken, the output buffer while there
 * is something of an answer to hold. All of them come from pools made for as many connections as there can
 * be, so taking one can't fail. Of output buffers there are a few wide ones besides: while one is spare, what
 * comes behind an answer's first piece is read into that, so that the longest user data go out in two. Only a
 * guest that does not take what it is sent holds one for longer than a moment, and when all are held, others
 * do with narrow ones. An answer that is longer still is a stream: it goes in narrow pieces all along.
 *
 *     PARKED -> HEAD -> BODY -> WAITING -> ANSWERING -> FLUSHING -> IDLE -> HEAD ...
 *                 `------`----------------------------> FLUSHING -> LINGERING -> closed
 *
 * The modules, in the order in which a request meets them: listener (accept), admission (caps, eviction),
 * guest (what the guest's socket says), inbound (from bytes to a complete request), rate (is it one too
 * many), upstream (queue and agent), relay (the answer), outbound (bytes to the guest, and what comes after
 * an answer).
 *
 * A function that may close the connection it is given says so, and its caller does not touch the connection
 * afterwards. Requests are never sent to the agent from inside such functions but by service_settle(), which
 * each event handler calls last: thus no connection is changed behind the back of code that works on it.
 */
#ifndef METAWARD_UNPRIV_WORKER_CONNECTION_H
#define METAWARD_UNPRIV_WORKER_CONNECTION_H

#include "ipc/message.h"
#include "unpriv/http/answer.h"
#include "unpriv/http/chunked.h"
#include "unpriv/http/request.h"
#include "unpriv/worker/deadlines.h"
#include "unpriv/worker/instances.h"
#include "unpriv/worker/network.h"
#include "unpriv/worker/queue.h"
#include "unpriv/worker/rate.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#define INPUT_SLACK 1024 /* room for chunk lines behind the largest head and body */
#define OUTPUT_HEADROOM                                                                                      \
    1024 /* by how much a rewritten head, or the line of a chunk, can be longer than what came */
#define OUTPUT_SPACE    ANSWER_HEAD_MAX
#define OUTPUT_WIDE     65536 /* Nova's limit of user data */
#define OUTPUT_TAILROOM 16    /* for "\r\n0\r\n\r\n" */
#define OUTPUTS_WIDE    4

enum guest_state {
    GUEST_PARKED,
    GUEST_LINGERING,
    GUEST_IDLE,
    GUEST_HEAD,
    GUEST_BODY,
    GUEST_WAITING,   /* the request is complete and in the queue */
    GUEST_ANSWERING, /* the request is at the agent */
    GUEST_FLUSHING   /* the answer is complete, the guest has not taken all of it */
};

/* Bytes of requests. `bytes` are in memory behind it, service.input_space of them. */
struct input {
    uint32_t used;
    uint32_t body; /* decoded bytes of a chunked body so far */
    struct http_chunked chunked;
    struct http_request request;
    char bytes[];
};

/* Bytes towards the guest, from `at` to `end`; while an answer's head is incomplete, bytes from the agent. */
struct output {
    uint32_t at;
    uint32_t end;
    uint32_t head_used; /* bytes of the agent's head so far, from OUTPUT_HEADROOM on */
    uint32_t space;     /* OUTPUT_SPACE or OUTPUT_WIDE: bytes between the headroom and the tailroom */
    struct http_answer answer;
    char bytes[];
};

struct connection;
struct link;

/* A complete request and what becomes of it. */
struct exchange {
    struct event event; /* of the connection to the agent, where that is no link */
    struct waiter waiter;
    struct connection *guest;
    struct link *link; /* the connection to the agent, where that can outlive the exchange; NULL */
    char *request;     /* the rewritten request; kept to the end, because the log line quotes it */
    uint32_t request_length;
    uint32_t request_sent;
    uint64_t complete_at; /* when the request was complete; monotonic milliseconds */
    uint64_t taken_at;    /* when the agent took it; 0: never */
    uint64_t body_left;   /* of an answer with a length */
    uint64_t bytes;       /* towards the guest so far */
    struct http_chunked chunked;
    int fd;          /* to the agent; -1 */
    uint16_t status; /* of the answer; 0: none yet */
    uint8_t reason;  /* enum http_reason */
    uint8_t framing; /* enum answer_framing */
    uint8_t relay;   /* enum answer_relay */
    uint8_t minor;
    bool waiting;    /* in the queue */
    bool dialing;    /* in the list of those that the dialer has been asked for (dialing.h) */
    bool connecting; /* fd is there, but the connection may not stand yet, and nothing has been sent */
    bool head_only;  /* HEAD */
    bool keep_alive; /* the guest wants to go on */
    bool head_done;  /* the answer's head is on its way to the guest */
    bool safe;       /* GET or HEAD: may be asked again (RFC 9110 section 9.2.2) */
    bool again;      /* and was: on a new connection, because the old one had ended */
    bool old_link;   /* the link served a request before this one */
    bool keeps;      /* by its head, the agent keeps the connection open behind its answer */
    bool clean;      /* the answer ended where it said it would, and nothing came behind it */
    bool watched;    /* the agent's descriptor is registered with epoll */
    bool wide;       /* the rest of the answer goes in one piece, if the guest takes it */
};

struct connection {
    struct event event;
    struct deadline deadline;
    struct list_node by_source;
    struct source *source;
    struct input *input;       /* NULL while there is no byte of a request */
    struct output *output;     /* NULL while there is nothing to hold */
    struct exchange *exchange; /* NULL while no complete request is there */
    int fd;
    uint8_t state;        /* enum guest_state */
    uint8_t list;         /* enum source_list: the list that it is in */
    short watched;        /* EV_READ, EV_WRITE */
    bool ended : 1;       /* the guest has sent its end of file */
    bool full : 1;        /* no room for more pipelined bytes */
    bool close_next : 1;  /* to be closed once the output is flushed */
    bool refused : 1;     /* the guest may still be sending: linger */
    uint32_t thrown_away; /* bytes while lingering */
};

struct service {
    struct settings settings;
    struct http_limits limits;
    uint32_t input_space; /* bytes of an input buffer */
    struct event_base *base;
    struct pool connections;
    struct pool inputs;
    struct pool outputs;
    struct pool wide_outputs;
    struct pool exchanges;
    struct pool requests;
    struct network_table networks;
    struct instance_table instances;
    struct source_table sources;
    struct rate_table rates;
    struct queue queue;
    struct deadlines deadlines;
    uint64_t now; /* monotonic milliseconds at the start of the current event */
    bool draining;
    bool retiring;                                /* draining, but idle connections go by their own time */
    char scratch[OUTPUT_HEADROOM + OUTPUT_SPACE]; /* for a moment: heads being rewritten, bytes thrown away */
};

extern struct service service;

#endif
