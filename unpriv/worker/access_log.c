/*
 * The lines about requests. See access_log.h.
 */
#include "unpriv/worker/access_log.h"

#include "unpriv/log.h"

#include <string.h>

/* The method and target of a rewritten request, which starts with "METHOD target ". */
static void log_request_line(const char *request, size_t length)
{
    const char *end = request + length;
    const char *blank = memchr(request, ' ', length);
    const char *target, *target_end;

    if (!blank)
        return;
    target = blank + 1;
    target_end = memchr(target, ' ', (size_t)(end - target));
    log_text("method", request, (size_t)(blank - request));
    log_text("target", target, target_end ? (size_t)(target_end - target) : 0);
}

void access_log_exchange(const struct exchange *exchange)
{
    enum log_severity severity = exchange->reason == REASON_NONE ? LOG_SEVERITY_INFO : LOG_SEVERITY_NOTICE;
    uint64_t taken_at = exchange->taken_at ? exchange->taken_at : service.now;

    if (!log_wants(severity))
        return;
    log_network_line(severity, "request", exchange->guest->source->network->log_name);
    log_word("guest", exchange->guest->source->text);
    log_request_line(exchange->request, exchange->request_length);
    log_number("status", exchange->status);
    log_word("reason", http_reason_id(exchange->reason));
    log_number("bytes", exchange->bytes);
    log_number("ms", service.now - exchange->complete_at);
    log_number("queue_ms", taken_at - exchange->complete_at);
    log_send();
}

void access_log_refused(const struct connection *connection, uint16_t status, enum http_reason reason)
{
    const struct input *input = connection->input;

    if (!log_wants(LOG_SEVERITY_NOTICE))
        return;
    log_network_line(LOG_SEVERITY_NOTICE, "refused", connection->source->network->log_name);
    log_word("guest", connection->source->text);
    if (input) {
        const struct http_request *request = &input->request;

        log_text("method", input->bytes + request->method_text.at, request->method_text.length);
        log_text("target", input->bytes + request->target.at, request->target.length);
    }
    log_number("status", status);
    log_word("reason", http_reason_id(reason));
    log_send();
}

void access_log_beyond_rate(const struct connection *connection, const struct rate_excess *excess)
{
    if (!log_wants(LOG_SEVERITY_NOTICE))
        return;
    log_network_line(LOG_SEVERITY_NOTICE, "rate-limited", connection->source->network->log_name);
    log_word("guest", connection->source->text);
    log_number("shadow", 1);
    log_number("limit", excess->limit.limit);
    log_number("period_s", excess->limit.period_s);
    log_number("rate", excess->rate);
    log_send();
}

void access_log_evicted(const struct connection *connection)
{
    static const char *const states[] = {[SOURCE_PARKED] = "parked",
                                         [SOURCE_LINGERING] = "lingering",
                                         [SOURCE_IDLE] = "idle",
                                         [SOURCE_READING] = "reading",
                                         [SOURCE_BUSY] = "busy"};

    if (!log_wants(LOG_SEVERITY_NOTICE))
        return;
    log_network_line(LOG_SEVERITY_NOTICE, "evicted", connection->source->network->log_name);
    log_word("guest", connection->source->text);
    log_word("state", states[connection->list]);
    log_word("reason", http_reason_id(REASON_EVICTED));
    log_send();
}

void access_log_turned_away(const struct worker_network *network, const struct address *address,
                            enum http_reason reason)
{
    char text[46];

    if (!log_wants(LOG_SEVERITY_NOTICE))
        return;
    address_format_ip(address, text);
    log_network_line(LOG_SEVERITY_NOTICE, "refused", network->log_name);
    log_word("guest", text);
    log_number("status", 0);
    log_word("reason", http_reason_id(reason));
    log_send();
}
