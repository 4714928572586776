/*
 * See tally.h.
 */
#include "unpriv/worker/tally.h"

static struct counters *all;
static uint32_t room;

bool tally_begin(int fd, uint32_t networks)
{
    all = counters_map(fd, networks);
    room = all ? networks : 0;
    return all != NULL;
}

struct counters *tally_network(uint32_t number, const struct network *given)
{
    if (number >= room)
        return NULL;
    counters_begin(&all[number], given->uuid);
    return &all[number];
}

void tally_opened(const struct source *source)
{
    if (!source->counters)
        return;
    counters_add(&source->counters->connections, 1);
    counters_add(&source->counters->open_now, 1);
}

void tally_closed(const struct source *source)
{
    if (source->counters)
        counters_add(&source->counters->open_now, (uint64_t)-1);
}

void tally_head(const struct source *source, const struct http_request *request, const char *bytes)
{
    if (!source->counters)
        return;
    for (unsigned i = 0; i < request->field_count; i++) {
        const struct http_field *field = &request->fields[i];

        if (field->id == FIELD_OTHER && header_is_protected(bytes + field->name.at, field->name.length)) {
            counters_add(&source->counters->spoofs, 1);
            return;
        }
    }
}

void tally_beyond_rate(const struct source *source)
{
    if (source->counters)
        counters_add(&source->counters->rate_limited, 1);
}

void tally_refused(struct counters *counters, uint16_t status, enum http_reason reason)
{
    if (!counters)
        return;
    counters_add(&counters->refused[reason], 1);
    if (status != 0)
        counters_add(&counters->requests[status / 100], 1);
}

void tally_exchange(const struct exchange *exchange)
{
    struct counters *counters = exchange->guest->source->counters;

    if (!counters)
        return;
    if (exchange->reason != REASON_NONE)
        counters_add(&counters->refused[exchange->reason], 1);
    counters_add(&counters->requests[exchange->status / 100], 1);
    counters_latency(counters, service.now - exchange->complete_at);
}
