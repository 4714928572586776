/*
 * See records.h.
 */
#include "ctl/records.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

const char *state_name(uint8_t state)
{
    static const char *const names[NETWORK_STATE_COUNT] = {[NETWORK_WAITING] = "waiting",
                                                           [NETWORK_SERVING] = "serving",
                                                           [NETWORK_FAILED] = "failed",
                                                           [NETWORK_DRAINING] = "draining"};
    return names[state];
}

const char *origin_name(uint8_t origin)
{
    static const char *const names[ORIGIN_COUNT] = {
        [ORIGIN_FILE] = "file", [ORIGIN_CONTROL] = "control", [ORIGIN_LEASE] = "lease"};
    return names[origin];
}

uint64_t sum(const uint64_t *numbers, size_t count)
{
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++)
        all += numbers[i];
    return all;
}

const char *latency_text(const struct counters *counters, unsigned percent)
{
    static char texts[4][16];
    static unsigned next;
    uint64_t all = sum(counters->latency, COUNTERS_LATENCIES), below = counters->latency[0];
    unsigned class = 0;
    if (all == 0)
        return "-";
    while (class < COUNTERS_LATENCIES - 1 && below < all - all * (100 - percent) / 100)
        below += counters->latency[++class];
    char *text = texts[next++ % 4];
    if (class == COUNTERS_LATENCIES - 1)
        (void)snprintf(text, sizeof(texts[0]), ">%u", counters_latency_most[class - 1]);
    else
        (void)snprintf(text, sizeof(texts[0]), "%u", counters_latency_most[class]);
    return text;
}

/* Room for one more of a growing array. */
static void *grown(void *array, size_t count, size_t size)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return array;
    array = reallocarray(array, count == 0 ? 1 : 2 * count, size);
    if (array == NULL)
        err(CTL_REFUSED, NULL);
    return array;
}

static void take_worker(const struct control_reply *reply, struct records *records)
{
    records->workers = grown(records->workers, records->worker_count, sizeof(*records->workers));
    records->workers[records->worker_count++] = reply->body.worker;
}

static void take_network(const struct control_reply *reply, struct records *records)
{
    records->at = grown(records->at, records->count, sizeof(*records->at));
    struct record *record = &records->at[records->count++];
    memset(&record->counters, 0, sizeof(record->counters));
    record->network = reply->body.network;
}

static int by_uuid(const void *one, const void *other)
{
    const struct record *a = one, *b = other;
    return strcmp(a->network.spec.network.uuid, b->network.spec.network.uuid);
}

static void take_counters(const struct control_reply *reply, struct records *records)
{
    static struct record key;
    memcpy(key.network.spec.network.uuid, reply->body.counters.uuid, NETWORK_UUID_SIZE);
    struct record *record =
        records->count == 0 ? NULL : bsearch(&key, records->at, records->count, sizeof(key), by_uuid);
    if (record != NULL) /* else it was added in between */
        record->counters = reply->body.counters;
}

static void take(const struct control_reply *reply, void *context)
{
    struct records *records = context;
    switch (reply->type) {
    case CONTROL_NETWORK:
        take_network(reply, records);
        break;
    case CONTROL_COUNTERS:
        take_counters(reply, records);
        break;
    case CONTROL_WORKER:
        take_worker(reply, records);
        break;
    default:
        records->daemon = reply->body.daemon;
        break;
    }
}

int records_fetch(struct ctl *ctl, struct records *records, char *reason)
{
    static const enum control_request_type types[] = {CONTROL_HEALTH, CONTROL_LIST, CONTROL_STATS};
    int status = CTL_OK;
    memset(records, 0, sizeof(*records));
    for (unsigned i = 0; status == CTL_OK && i < sizeof(types) / sizeof(types[0]); i++) {
        struct control_request request;
        control_request_begin(&request, types[i]);
        status = ctl_ask_quietly(ctl, &request, -1, take, records, reason);
        if (types[i] == CONTROL_LIST && records->count != 0)
            qsort(records->at, records->count, sizeof(*records->at), by_uuid);
    }
    if (status != CTL_OK)
        records_free(records);
    return status;
}

int records_one(struct ctl *ctl, const char *word, struct record *record)
{
    struct control_request request;
    struct records records = {0};
    control_request_begin(&request, CONTROL_SHOW);
    int status = ctl_uuid(word, request.body.uuid);
    if (status == CTL_OK)
        status = ctl_ask(ctl, &request, -1, take, &records);
    if (status == CTL_OK && records.count == 1)
        *record = records.at[0];
    else if (status == CTL_OK)
        status = CTL_PROTOCOL;
    records_free(&records);
    return status;
}

int records_health(struct ctl *ctl, struct control_daemon *daemon, struct control_worker **workers,
                   size_t *count)
{
    struct control_request request;
    struct records records = {0};
    control_request_begin(&request, CONTROL_HEALTH);
    int status = ctl_ask(ctl, &request, -1, take, &records);
    *daemon = records.daemon;
    if (workers != NULL) {
        *workers = records.workers;
        *count = records.worker_count;
    } else {
        free(records.workers);
    }
    return status;
}

void records_free(struct records *records)
{
    free(records->at);
    free(records->workers);
    *records = (struct records){0};
}
