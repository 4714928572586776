/*
 * See json.h. Numbers that do not fit JSON's usual 63 bits are cut to that.
 */
#include "ctl/json.h"

#include "ipc/reason.h"

#include <stdlib.h>

static json_t *number(uint64_t value)
{
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *listeners(const struct network_spec *spec)
{
    json_t *all = json_array();
    for (unsigned i = 0; i < spec->listener_count; i++) {
        char text[ADDRESS_TEXT_SIZE];
        (void)address_format(&spec->listeners[i], text);
        json_array_append_new(all, json_string(text));
    }
    return all;
}

static json_t *rates(const struct network *network)
{
    json_t *all = json_array();
    for (unsigned i = 0; i < NETWORK_RATES && network->rate[i].limit != 0; i++)
        json_array_append_new(all, json_pack("{s:i, s:i}", "limit", (int)network->rate[i].limit, "period_s",
                                             (int)network->rate[i].period_s));
    return all;
}

json_t *json_counters(const struct counters *counters)
{
    static const char *const classes[COUNTERS_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    json_t *requests = json_object(), *refused = json_object(), *latency = json_array();
    for (unsigned i = 0; i < COUNTERS_CLASSES; i++)
        json_object_set_new(requests, classes[i], number(counters->requests[i]));
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        if (counters->refused[i] != 0)
            json_object_set_new(refused, http_reason_id((enum http_reason)i), number(counters->refused[i]));
    }
    for (unsigned i = 0; i < COUNTERS_LATENCIES; i++) {
        bool last = i + 1 == COUNTERS_LATENCIES;
        json_array_append_new(latency, json_pack("{s:o, s:o}", "most_ms",
                                                 last ? json_null() : number(counters_latency_most[i]),
                                                 "count", number(counters->latency[i])));
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "uuid", counters->uuid,
                     "connections", number(counters->connections), "open", number(counters->open_now),
                     "requests", requests, "refused", refused, "spoofs", number(counters->spoofs),
                     "rate_limited", number(counters->rate_limited), "queued", number(counters->queued),
                     "in_flight", number(counters->in_flight), "latency", latency, "latency_ms",
                     number(counters->latency_ms));
}

json_t *json_network(const struct record *record)
{
    const struct control_network *row = &record->network;
    const struct network *network = &row->spec.network;
    const char *header = identity_header_name(network->identity);
    json_t *value =
        json_pack("{s:s, s:s?, s:s, s:s, s:i, s:o, s:s, s:o, s:o, s:b, s:s, s:s, s:s}", "uuid", network->uuid,
                  "identity", header, "state", state_name(row->state), "origin", origin_name(row->origin),
                  "worker", (int)row->worker, "age_ms", number(row->age_ms), "netns", row->spec.netns,
                  "listeners", listeners(&row->spec), "rate_limits", rates(network), "rate_shadow",
                  network->rate_shadow, "log_tag", network->log_tag, "file", row->file, "error", row->error);
    if (record->counters.uuid[0] != '\0')
        json_object_set_new(value, "counters", json_counters(&record->counters));
    return value;
}

json_t *json_daemon(const struct control_daemon *daemon, const struct control_worker *workers, size_t count)
{
    json_t *all = json_array(), *networks = json_object();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(all, json_pack("{s:i, s:i, s:b, s:i, s:i, s:o}", "slot", (int)workers[i].slot,
                                             "pid", (int)workers[i].pid, "serving", workers[i].serving,
                                             "networks", (int)workers[i].networks, "failures",
                                             (int)workers[i].failures, "age_ms", number(workers[i].age_ms)));
    for (unsigned i = 0; i < NETWORK_STATE_COUNT; i++)
        json_object_set_new(networks, state_name((uint8_t)i), number(daemon->networks[i]));
    return json_pack("{s:s, s:i, s:o, s:i, s:b, s:b, s:b, s:s, s:s, s:o, s:o}", "version", daemon->version,
                     "pid", (int)daemon->pid, "age_ms", number(daemon->age_ms), "loads", (int)daemon->loads,
                     "draining", daemon->draining, "reloading", daemon->reloading, "upgrading",
                     daemon->upgrading, "error", daemon->error, "upgrade_error", daemon->upgrade_error,
                     "networks", networks, "workers", all);
}

int json_print(json_t *value)
{
    int status = value != NULL && json_dumpf(value, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF
                     ? CTL_OK
                     : CTL_REFUSED;
    json_decref(value);
    return status;
}
