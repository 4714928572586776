/*
 * Bytes towards the guest, and what comes after an answer.
 *
 * A connection that is closed after a refusal lingers: its sending side is shut, and what still comes is
 * thrown away for a moment. Closing at once would make the kernel answer those bytes with a reset, which can
 * destroy the refusal before the guest has read it (RFC 9112 section 9.6).
 */
#ifndef METAWARD_UNPRIV_WORKER_OUTBOUND_H
#define METAWARD_UNPRIV_WORKER_OUTBOUND_H

#include "unpriv/worker/connection.h"

enum outbound_result {
    OUTBOUND_DONE,    /* all is with the kernel */
    OUTBOUND_PENDING, /* the guest must take more first */
    OUTBOUND_GONE     /* the guest is gone */
};

/** The connection's output buffer, made and emptied if there is none. */
struct output *outbound_begin(struct connection *connection);

/** The same, but a wide one while one is spare. */
struct output *outbound_begin_wide(struct connection *connection);

/** Give back the output buffer, if there is one. What it holds is lost. */
void outbound_end(struct connection *connection);

/** Is there anything that the guest has not taken? */
bool outbound_pending(const struct connection *connection);

/** Send what the output buffer holds. */
enum outbound_result outbound_flush(struct connection *connection);

/** Send "100 Continue". Closes where the guest does not take it. @return false then */
bool outbound_continue(struct connection *connection);

/** Answer with a status of our own. May close. */
void outbound_own(struct connection *connection, uint16_t status, bool keep_alive, bool head_only);

/** Answer 429 with Retry-After. May close. */
void outbound_limited(struct connection *connection, uint32_t retry_after_s, bool keep_alive, bool head_only);

/** The output buffer holds the end of the answer: flush it, then go on as outbound_after() does. May close.
 */
void outbound_finish(struct connection *connection);

/** The guest has taken the whole answer: next request, linger or close. May close. */
void outbound_after(struct connection *connection);

/** The guest is gone, or takes nothing more: log that for its request, if any, and close. */
void outbound_lost(struct connection *connection, enum http_reason reason);

/** Read and throw away what a refused guest still sends. May close. */
void outbound_throw_away(struct connection *connection);

#endif
