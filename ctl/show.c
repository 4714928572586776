/*
 * The verbs that look: list, show, stats, health. For a person, or as JSON.
 */
#include "ctl/json.h"
#include "ctl/table.h"

#include "ipc/reason.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS(heads) (sizeof(heads) / sizeof((heads)[0]))

/* 5s, 12m, 3h, 4d: how long something has been so. */
static const char *age(uint64_t ms)
{
    static char text[32];
    static const struct {
        uint64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    unsigned i = 0;
    while (i < 3 && ms / 1000 < 2 * units[i].seconds)
        i++;
    (void)snprintf(text, sizeof(text), "%" PRIu64 "%c", ms / 1000 / units[i].seconds, units[i].unit);
    return text;
}

static void listeners_text(const struct network_spec *spec, char *out, size_t size)
{
    out[0] = '\0';
    for (unsigned i = 0; i < spec->listener_count; i++) {
        char text[ADDRESS_TEXT_SIZE];
        size_t at = strlen(out);
        (void)address_format(&spec->listeners[i], text);
        (void)snprintf(out + at, size - at, "%s%s", i != 0 ? "," : "", text);
    }
}

static int fetch(struct ctl *ctl, struct records *records)
{
    char reason[CONTROL_REASON_SIZE] = "";
    int status = records_fetch(ctl, records, reason);
    if (status != CTL_OK)
        (void)fprintf(stderr, "metawardctl: %s\n", reason);
    return status;
}

static void print_list(const struct records *records)
{
    static const char *const heads[] = {"NETWORK", "STATE",     "FROM",    ">WORKER",
                                        ">FOR",    "NAMESPACE", "LISTENS", ""};
    char listens[TABLE_CELL_SIZE];
    struct table table;
    table_begin(&table, heads, COLUMNS(heads));
    for (size_t i = 0; i < records->count; i++) {
        const struct control_network *row = &records->at[i].network;
        const char *uuid = row->spec.network.uuid;
        listeners_text(&row->spec, listens, sizeof(listens));
        table_cell(&table, "%s", uuid[0] != '\0' ? uuid : "-");
        table_cell(&table, "%s", state_name(row->state));
        table_cell(&table, "%s", row->file[0] != '\0' ? row->file : origin_name(row->origin));
        table_cell(&table, "%u", row->worker);
        table_cell(&table, "%s", age(row->age_ms));
        table_cell(&table, "%s", row->spec.netns[0] != '\0' ? row->spec.netns : "-");
        table_cell(&table, "%s", listens[0] != '\0' ? listens : "-");
        table_cell(&table, "%s", row->error);
    }
    table_print(&table, stdout, 0, "\n");
}

int verb_list(struct ctl *ctl, int argc, char **argv)
{
    struct records records;
    if (ctl_words(ctl, argc, argv, 0, 0) < 0)
        return CTL_USAGE;
    int status = fetch(ctl, &records);
    if (status != CTL_OK)
        return status;
    if (ctl->json) {
        json_t *all = json_array();
        for (size_t i = 0; i < records.count; i++)
            json_array_append_new(all, json_network(&records.at[i]));
        status = json_print(all);
    } else {
        print_list(&records);
    }
    records_free(&records);
    return status;
}

static void print_counters(const struct counters *counters)
{
    static const char *const classes[COUNTERS_CLASSES] = {
        "without an answer", "1xx", "2xx", "3xx", "4xx", "5xx"};
    printf("connections   %" PRIu64 ", %" PRIu64 " open now\n", counters->connections, counters->open_now);
    for (unsigned i = 0; i < COUNTERS_CLASSES; i++) {
        if (counters->requests[i] != 0)
            printf("requests      %" PRIu64 " %s\n", counters->requests[i], classes[i]);
    }
    printf("now           %" PRIu64 " waiting, %" PRIu64 " at the agent\n", counters->queued,
           counters->in_flight);
    printf("spoofs        %" PRIu64 "\nrate limited  %" PRIu64 "\n", counters->spoofs,
           counters->rate_limited);
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        if (counters->refused[i] != 0)
            printf("refused       %" PRIu64 " %s\n", counters->refused[i],
                   http_reason_id((enum http_reason)i));
    }
    for (unsigned i = 0; i < COUNTERS_LATENCIES; i++) {
        if (counters->latency[i] != 0 && counters_latency_most[i] == UINT32_MAX)
            printf("latency       %" PRIu64 " longer\n", counters->latency[i]);
        else if (counters->latency[i] != 0)
            printf("latency       %" PRIu64 " within %u ms\n", counters->latency[i],
                   counters_latency_most[i]);
    }
}

static void print_network(const struct record *record)
{
    const struct control_network *row = &record->network;
    const struct network *network = &row->spec.network;
    char listens[TABLE_CELL_SIZE];
    listeners_text(&row->spec, listens, sizeof(listens));
    printf("network       %s\nidentity      %s\nstate         %s for %s%s%s\n", network->uuid,
           identity_header_name(network->identity), state_name(row->state), age(row->age_ms),
           row->error[0] != '\0' ? ": " : "", row->error);
    printf("from          %s%s%s\nworker        %u\nnamespace     %s\nlistens       %s\n",
           origin_name(row->origin), row->file[0] != '\0' ? " " : "", row->file, row->worker,
           row->spec.netns[0] != '\0' ? row->spec.netns : "-", listens);
    for (unsigned i = 0; i < NETWORK_RATES && network->rate[i].limit != 0; i++)
        printf("rate limit    %u in %u s%s\n", network->rate[i].limit, network->rate[i].period_s,
               network->rate_shadow ? ", told only" : "");
    if (network->log_tag[0] != '\0')
        printf("log tag       %s\n", network->log_tag);
    print_counters(&record->counters);
}

int verb_show(struct ctl *ctl, int argc, char **argv)
{
    struct record record;
    int word = ctl_words(ctl, argc, argv, 1, 1);
    if (word < 0)
        return CTL_USAGE;
    int status = records_one(ctl, argv[word], &record);
    if (status != CTL_OK)
        return status;
    if (ctl->json)
        return json_print(json_network(&record));
    print_network(&record);
    return CTL_OK;
}

static void print_stats(const struct records *records)
{
    static const char *const heads[] = {"NETWORK",   ">CONNS",  ">OPEN",   ">REQUESTS", ">2XX",
                                        ">4XX",      ">5XX",    ">SPOOFS", ">RATE",     ">WAITING",
                                        ">AT-AGENT", ">P50-MS", ">P99-MS"};
    struct table table;
    table_begin(&table, heads, COLUMNS(heads));
    for (size_t i = 0; i < records->count; i++) {
        const struct counters *c = &records->at[i].counters;
        const uint64_t numbers[] = {c->connections, c->open_now,     sum(c->requests, COUNTERS_CLASSES),
                                    c->requests[2], c->requests[4],  c->requests[5],
                                    c->spoofs,      c->rate_limited, c->queued,
                                    c->in_flight};
        if (records->at[i].network.spec.listener_count == 0)
            continue; /* a file that describes no network */
        table_cell(&table, "%s", records->at[i].network.spec.network.uuid);
        for (size_t j = 0; j < sizeof(numbers) / sizeof(numbers[0]); j++)
            table_cell(&table, "%" PRIu64, numbers[j]);
        table_cell(&table, "%s", latency_text(c, 50));
        table_cell(&table, "%s", latency_text(c, 99));
    }
    table_print(&table, stdout, 0, "\n");
}

static int print_all_stats(struct ctl *ctl)
{
    struct records records;
    int status = fetch(ctl, &records);
    if (status != CTL_OK)
        return status;
    if (ctl->json) {
        json_t *all = json_array();
        for (size_t i = 0; i < records.count; i++) {
            if (records.at[i].counters.uuid[0] != '\0')
                json_array_append_new(all, json_counters(&records.at[i].counters));
        }
        status = json_print(all);
    } else {
        print_stats(&records);
    }
    records_free(&records);
    return status;
}

int verb_stats(struct ctl *ctl, int argc, char **argv)
{
    struct record record;
    int word = ctl_words(ctl, argc, argv, 0, 1);
    if (word < 0)
        return CTL_USAGE;
    if (word == argc)
        return print_all_stats(ctl);
    int status = records_one(ctl, argv[word], &record);
    if (status != CTL_OK)
        return status;
    if (ctl->json)
        return json_print(json_counters(&record.counters));
    print_counters(&record.counters);
    return CTL_OK;
}

/* Say what is not as it should be. @return how much there is of that */
static unsigned complaints(const struct control_daemon *daemon, const struct control_worker *workers,
                           size_t count, bool (*say)(const char *text, void *context), void *context)
{
    char text[CONTROL_REASON_SIZE + 64];
    unsigned found = 0;
    if (daemon->draining)
        found += say("the daemon is going down", context);
    if (daemon->networks[NETWORK_FAILED] != 0) {
        (void)snprintf(text, sizeof(text), "%u networks have failed (metawardctl list)",
                       daemon->networks[NETWORK_FAILED]);
        found += say(text, context);
    }
    if (daemon->error[0] != '\0') {
        (void)snprintf(text, sizeof(text), "the configuration was not reloaded: %s", daemon->error);
        found += say(text, context);
    }
    if (daemon->upgrade_error[0] != '\0') {
        (void)snprintf(text, sizeof(text), "it was not upgraded: %s", daemon->upgrade_error);
        found += say(text, context);
    }
    for (size_t i = 0; i < count; i++) {
        if (workers[i].serving)
            continue;
        (void)snprintf(text, sizeof(text), "worker %u does not serve (%u failures in a row)", workers[i].slot,
                       workers[i].failures);
        found += say(text, context);
    }
    return found;
}

static bool say_plainly(const char *text, void *context)
{
    (void)context;
    puts(text);
    return true;
}

static bool say_in_json(const char *text, void *context)
{
    json_array_append_new(context, json_string(text));
    return true;
}

int verb_health(struct ctl *ctl, int argc, char **argv)
{
    struct control_daemon daemon;
    struct control_worker *workers = NULL;
    size_t count = 0;
    unsigned found;
    if (ctl_words(ctl, argc, argv, 0, 0) < 0)
        return CTL_USAGE;
    int status = records_health(ctl, &daemon, &workers, &count);
    if (status != CTL_OK) {
        free(workers);
        return status;
    }
    if (ctl->json) {
        json_t *value = json_daemon(&daemon, workers, count), *reasons = json_array();
        found = complaints(&daemon, workers, count, say_in_json, reasons);
        json_object_set_new(value, "reasons", reasons);
        json_object_set_new(value, "healthy", json_boolean(found == 0));
        status = json_print(value);
    } else {
        found = complaints(&daemon, workers, count, say_plainly, NULL);
        if (found == 0)
            printf("healthy: %zu workers, %u networks served, %u waiting\n", count,
                   daemon.networks[NETWORK_SERVING], daemon.networks[NETWORK_WAITING]);
    }
    free(workers);
    return status == CTL_OK && found != 0 ? CTL_REFUSED : status;
}
