/*
 * OpenMetrics text. See metrics.h.
 *
 * A family is a type, a unit where it has one, a help text, and then all of its samples in one piece. A
 * network is told by the label `network`, a worker by `worker`; label values are escaped, whatever they are.
 */
#include "ctl/metrics.h"

#include "ipc/reason.h"

#include <getopt.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

static void family(FILE *to, const char *name, const char *type, const char *unit, const char *help)
{
    (void)fprintf(to, "# TYPE %s %s\n", name, type);
    if (unit != NULL)
        (void)fprintf(to, "# UNIT %s %s\n", name, unit);
    (void)fprintf(to, "# HELP %s %s\n", name, help);
}

static void escaped(FILE *to, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            (void)fputs("\\n", to);
            continue;
        }
        if (*text == '"' || *text == '\\')
            (void)fputc('\\', to);
        (void)fputc(*text, to);
    }
}

/* A sample of a network; `label` NULL: no other label. */
static void sample(FILE *to, const char *name, const struct record *record, const char *label,
                   const char *value, uint64_t number)
{
    (void)fprintf(to, "%s{network=\"", name);
    escaped(to, record->network.spec.network.uuid);
    (void)fputc('"', to);
    if (label != NULL && value != NULL) {
        (void)fprintf(to, ",%s=\"", label);
        escaped(to, value);
        (void)fputc('"', to);
    }
    (void)fprintf(to, "} %" PRIu64 "\n", number);
}

static bool is_counted(const struct record *record)
{
    return record->counters.uuid[0] != '\0';
}

/* Families of one number a network. */
static void write_simple(FILE *to, const struct records *records)
{
    static const struct {
        const char *name, *type, *suffix, *help;
        size_t at;
    } families[] = {
#define NUMBER(field) offsetof(struct counters, field)
        {"metaward_connections", "counter", "_total", "Connections accepted from guests.",
         NUMBER(connections)},
        {"metaward_connections_open", "gauge", "", "Connections of guests that are open now.",
         NUMBER(open_now)},
        {"metaward_spoof_attempts", "counter", "_total",
         "Requests with a header that only the proxy may set; it was dropped.", NUMBER(spoofs)},
        {"metaward_rate_limited", "counter", "_total", "Requests beyond a rate limit.", NUMBER(rate_limited)},
        {"metaward_requests_waiting", "gauge", "", "Requests that wait for the agent now.", NUMBER(queued)},
        {"metaward_requests_in_flight", "gauge", "", "Requests that are at the agent now.",
         NUMBER(in_flight)},
#undef NUMBER
    };
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        char name[64];
        family(to, families[i].name, families[i].type, NULL, families[i].help);
        (void)snprintf(name, sizeof(name), "%s%s", families[i].name, families[i].suffix);
        for (size_t j = 0; j < records->count; j++) {
            uint64_t number;
            memcpy(&number, (const char *)&records->at[j].counters + families[i].at, sizeof(number));
            if (is_counted(&records->at[j]))
                sample(to, name, &records->at[j], NULL, NULL, number);
        }
    }
}

static void write_requests(FILE *to, const struct records *records)
{
    static const char *const classes[COUNTERS_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    family(to, "metaward_requests", "counter", NULL,
           "Requests by the class of the status that answered them.");
    for (size_t i = 0; i < records->count; i++) {
        for (unsigned class = 0; is_counted(&records->at[i]) && class < COUNTERS_CLASSES; class ++) {
            if (class != 1) /* an answer is never informational */
                sample(to, "metaward_requests_total", &records->at[i], "status", classes[class],
                       records->at[i].counters.requests[class]);
        }
    }
    family(to, "metaward_refused", "counter", NULL, "Requests and connections that went wrong, by reason.");
    for (size_t i = 0; i < records->count; i++) {
        for (unsigned reason = 1; is_counted(&records->at[i]) && reason < REASON_COUNT; reason++) {
            uint64_t number = records->at[i].counters.refused[reason];
            if (number != 0)
                sample(to, "metaward_refused_total", &records->at[i], "reason",
                       http_reason_id((enum http_reason)reason), number);
        }
    }
}

/* A class's bound as OpenMetrics writes numbers: 0.005, 1.0, +Inf. */
static void bound_text(unsigned class, char out[16])
{
    uint32_t ms = counters_latency_most[class];
    if (class == COUNTERS_LATENCIES - 1)
        (void)snprintf(out, 16, "+Inf");
    else if (ms % 1000 == 0)
        (void)snprintf(out, 16, "%u.0", ms / 1000);
    else
        (void)snprintf(out, 16, "%g", ms / 1000.0);
}

static void write_latency(FILE *to, const struct records *records)
{
    family(to, "metaward_request_duration_seconds", "histogram", "seconds",
           "From a complete request to the end of its answer.");
    for (size_t i = 0; i < records->count; i++) {
        const struct record *record = &records->at[i];
        uint64_t below = 0;
        if (!is_counted(record))
            continue;
        for (unsigned class = 0; class < COUNTERS_LATENCIES; class ++) {
            char bound[16];
            bound_text(class, bound);
            below += record->counters.latency[class];
            sample(to, "metaward_request_duration_seconds_bucket", record, "le", bound, below);
        }
        sample(to, "metaward_request_duration_seconds_count", record, NULL, NULL, below);
        (void)fprintf(to, "metaward_request_duration_seconds_sum{network=\"%s\"} %" PRIu64 ".%03u\n",
                      record->counters.uuid, record->counters.latency_ms / 1000,
                      (unsigned)(record->counters.latency_ms % 1000));
    }
}

static void write_daemon(FILE *to, const struct records *records)
{
    const struct control_daemon *daemon = &records->daemon;
    family(to, "metaward_build", "info", NULL, "The daemon that answers.");
    (void)fputs("metaward_build_info{version=\"", to);
    escaped(to, daemon->version);
    (void)fputs("\"} 1\n", to);
    family(to, "metaward_networks", "gauge", NULL, "Networks by state.");
    for (unsigned i = 0; i < NETWORK_STATE_COUNT; i++)
        (void)fprintf(to, "metaward_networks{state=\"%s\"} %u\n", state_name((uint8_t)i),
                      daemon->networks[i]);
    family(to, "metaward_config_loads", "counter", NULL, "How often the configuration was loaded.");
    (void)fprintf(to, "metaward_config_loads_total %u\n", daemon->loads);
    family(to, "metaward_config_good", "gauge", NULL, "Was the last load of the configuration good?");
    (void)fprintf(to, "metaward_config_good %d\n", daemon->error[0] == '\0');
    family(to, "metaward_worker_up", "gauge", NULL, "Does the worker serve?");
    for (size_t i = 0; i < records->worker_count; i++)
        (void)fprintf(to, "metaward_worker_up{worker=\"%u\"} %u\n", records->workers[i].slot,
                      records->workers[i].serving);
    family(to, "metaward_worker_networks", "gauge", NULL, "Networks that the worker has.");
    for (size_t i = 0; i < records->worker_count; i++)
        (void)fprintf(to, "metaward_worker_networks{worker=\"%u\"} %u\n", records->workers[i].slot,
                      records->workers[i].networks);
}

void metrics_write(FILE *to, const struct records *records)
{
    write_daemon(to, records);
    family(to, "metaward_network_up", "gauge", NULL, "Is the network served?");
    for (size_t i = 0; i < records->count; i++) {
        if (records->at[i].network.spec.listener_count != 0)
            sample(to, "metaward_network_up", &records->at[i], NULL, NULL,
                   records->at[i].network.state == NETWORK_SERVING);
    }
    write_simple(to, records);
    write_requests(to, records);
    write_latency(to, records);
    (void)fputs("# EOF\n", to);
}

int verb_metrics(struct ctl *ctl, int argc, char **argv)
{
    static const struct option options[] = {CTL_COMMON, {"listen", required_argument, NULL, 'l'}, {0}};
    struct records records;
    char reason[CONTROL_REASON_SIZE] = "";
    const char *address = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'l')
            address = optarg;
        else if (!ctl_common(ctl, option))
            return CTL_USAGE;
    }
    if (optind != argc)
        return ctl_usage("metrics: too many words");
    if (address != NULL)
        return metrics_serve(ctl, address);
    int status = records_fetch(ctl, &records, reason);
    if (status != CTL_OK) {
        (void)fprintf(stderr, "metawardctl: %s\n", reason);
        return status;
    }
    metrics_write(stdout, &records);
    records_free(&records);
    return CTL_OK;
}
