/*
 * The worker's service. See serve.h and connection.h for the theory.
 */
#include "unpriv/worker/serve.h"

#include "unpriv/log.h"
#include "unpriv/worker/admission.h"
#include "unpriv/worker/alarm.h"
#include "unpriv/worker/clock.h"
#include "unpriv/worker/connection.h"
#include "unpriv/worker/dialing.h"
#include "unpriv/worker/link.h"
#include "unpriv/worker/listener.h"
#include "unpriv/worker/loop.h"
#include "unpriv/worker/service.h"
#include "unpriv/worker/tally.h"
#include "unpriv/worker/upstream.h"

#define OTHER_DESCRIPTORS                                                                                    \
    8 /* channel, log, epoll, a newcomer before another gives way, a few for the start */

struct service service;

unsigned serve_descriptors(const struct settings *settings)
{
    return settings->max_connections + settings->max_in_flight + settings->max_listeners + OTHER_DESCRIPTORS;
}

static size_t output_size(size_t space)
{
    return sizeof(struct output) + OUTPUT_HEADROOM + space + OUTPUT_TAILROOM;
}

static void take_limits(const struct settings *settings)
{
    service.settings = *settings;
    service.limits.line = settings->max_request_line;
    service.limits.head = settings->max_head;
    service.limits.fields = settings->max_fields;
    service.limits.body = settings->max_body;
    service.limits.methods = settings->methods;
    service.input_space = settings->max_head + settings->max_body + INPUT_SLACK;
    service.queue.most = settings->max_in_flight;
    service.queue.most_per_source = settings->max_in_flight_per_source;
}

bool serve_counters(const struct settings *settings, int fd)
{
    return tally_begin(fd, settings->max_networks);
}

bool serve_reserve(const struct settings *settings)
{
    uint32_t most = settings->max_connections;

    take_limits(settings);
    log_begin(settings);
    return pool_reserve(&service.connections, sizeof(struct connection), most) &&
           pool_reserve(&service.inputs, sizeof(struct input) + service.input_space, most) &&
           pool_reserve(&service.outputs, output_size(OUTPUT_SPACE), most) &&
           pool_reserve(&service.wide_outputs, output_size(OUTPUT_WIDE), OUTPUTS_WIDE) &&
           pool_reserve(&service.exchanges, sizeof(struct exchange), most) &&
           pool_reserve(&service.requests, settings->max_upstream_request, most) &&
           source_table_reserve(&service.sources, most) &&
           network_table_reserve(&service.networks, settings->max_networks) &&
           listener_reserve(settings->max_listeners) &&
           instance_table_reserve(&service.instances, settings->max_instances) &&
           rate_table_reserve(&service.rates, settings->max_networks > 1 ? RATE_GUESTS_ALL : RATE_GUESTS,
                              RATE_GUESTS) &&
           (!settings->upstream_reuse || link_reserve(settings->max_in_flight)) &&
           loop_reserve(serve_descriptors(settings));
}

struct event_base *serve_events(void)
{
    service.base = loop_make();
    if (!service.base)
        return NULL;
    alarm_begin();
    upstream_begin();
    link_begin();
    listener_begin();
    return service.base;
}

bool serve_network(uint32_t number, const struct network *given)
{
    struct worker_network *network = network_take(&service.networks, number);

    if (!network)
        return false;
    network->given = *given;
    if (!network->counters)
        network->counters = tally_network(number, given);
    network_log_name(given, service.settings.log_target == LOG_TO_SYSLOG, network->log_name);
    rate_limits(&service.rates, &network->rates, given->rate, number);
    return true;
}

bool serve_listener(unsigned slot, uint32_t number, int fd, const struct address *address)
{
    struct worker_network *network = network_find(&service.networks, number);

    return network && listener_add(slot, network, fd, address);
}

bool serve_unlisten(unsigned slot)
{
    return listener_remove(slot);
}

bool serve_remove(uint32_t number)
{
    struct worker_network *network = network_find(&service.networks, number);

    if (!network)
        return false;
    service_wake();
    listener_remove_all(network);
    admission_remove(network);
    link_close_idle(network);
    rate_forget(&service.rates, &network->rates);
    if (network->counters)
        counters_end(network->counters);
    network_give(network);
    service_settle();
    return true;
}

bool serve_instances(const struct instance_batch *batch)
{
    return instance_table_take(&service.instances, batch);
}

bool serve_start(void)
{
    return dialing_start() && listener_start();
}

static void stop(bool at_once)
{
    service_wake();
    service.draining = true;
    listener_stop();
    link_close_all_idle();
    if (at_once)
        admission_drain();
    service_settle();
}

void serve_drain(void)
{
    if (!service.draining || service.retiring)
        stop(true);
    service.retiring = false;
}

void serve_retire(void)
{
    if (service.draining)
        return;
    service.retiring = true;
    stop(false);
}

int serve_run(void)
{
    int result = event_base_dispatch(service.base);

    return result == 0 && service.draining ? 0 : 1;
}

void service_wake(void)
{
    service.now = clock_ms();
}

void service_settle(void)
{
    upstream_dispatch();
    if (service.draining && service.connections.used == 0 && event_base_loopbreak(service.base) != 0)
        service.draining = false; /* can't be; serve_run() then tells a failure */
}
