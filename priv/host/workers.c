/*
 * See workers.h.
 */
#include "priv/host/workers.h"

#include "ipc/clock.h"
#include "ipc/counters.h"
#include "ipc/steps.h"
#include "policy/power.h"
#include "priv/host/host.h"
#include "priv/worker.h"

#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

#define STARTS_AT_ONCE 4  /* more would only share the processors, and fill the nursery's channel */
#define RELAY_AGAIN_MS 20 /* until stderr, which had no room, is tried again */

struct host_worker {
    struct worker worker; /* the first member: it is what worker.c calls back with */
    struct watch channel, relay;
    struct timer timer;
    uint16_t networks, queue, queue_last, next_start; /* chains: a place plus one; 0 ends */
    uint32_t count;                                   /* of its networks */
    bool begun;                                       /* it is wanted: started, or to be started */
    bool queued;                                      /* it waits for its turn to be started */
    bool starting;                                    /* one of STARTS_AT_ONCE */
    bool alive;                                       /* started, and its end was not told yet */
    bool leaving;                                     /* is to end when it has nothing left to do */
};

static struct host_worker table[MESSAGE_SLOTS];
static const struct host_config *host;
static struct worker_owner owner;
static int (*first_serves)(void);
static bool nursery_ready;
static bool retiring;                    /* workers end because a successor has others */
static uint16_t starts, starts_last;     /* the queue of those to be started: a slot plus one */
static unsigned starting, begun, behind; /* behind: there are networks in their queues */

static void after(struct host_worker *w, int step);
static void start_next(void);

static uint16_t slot_of(const struct host_worker *w)
{
    return (uint16_t)(w - table);
}

static bool own(void)
{
    return host->isolation == ISOLATION_NETWORK;
}

static bool serves(const struct host_worker *w)
{
    return w->worker.phase == PHASE_PARENT_WORKER && w->worker.channel.fd >= 0;
}

/* --- events --- */

static void on_channel(struct watch *watch, uint32_t events)
{
    struct host_worker *w = (void *)((char *)watch - offsetof(struct host_worker, channel));
    (void)events;
    if (w->begun)
        after(w, worker_receive(&w->worker));
}

static void on_relay(struct watch *watch, uint32_t events)
{
    struct host_worker *w = (void *)((char *)watch - offsetof(struct host_worker, relay));
    (void)events;
    if (w->begun && w->worker.log.relay >= 0)
        logsocket_relay(&w->worker.log);
    after(w, 0);
}

static void on_time(struct timer *timer)
{
    struct host_worker *w = (void *)((char *)timer - offsetof(struct host_worker, timer));
    if (w->worker.log.waits)
        logsocket_relay(&w->worker.log);
    after(w, worker_due(&w->worker, clock_now()));
}

/* --- telling a worker of its networks --- */

static void enqueue(struct host_worker *w, struct host_network *network)
{
    uint16_t place = (uint16_t)(networks_place_of(network) + 1);
    if (network->queued)
        return;
    network->queued = true;
    network->next_queued = 0;
    if (w->queue == 0) {
        w->queue = place;
        behind++;
    } else {
        networks_place(w->queue_last - 1U)->next_queued = place;
    }
    w->queue_last = place;
}

static void leave(struct host_worker *w, struct host_network *network)
{
    uint16_t *link = network->previous != 0 ? &networks_place(network->previous - 1U)->next : &w->networks;
    *link = network->next;
    if (network->next != 0)
        networks_place(network->next - 1U)->previous = network->previous;
    w->count--;
    networks_release(network);
}

/* @return false where the channel has no room for all that is to be said */
static bool flush(struct host_worker *w)
{
    while (w->queue != 0) {
        struct host_network *network = networks_place(w->queue - 1U);
        if (!networks_tell(network, &w->worker.channel))
            return false;
        w->queue = network->next_queued;
        behind -= w->queue == 0;
        network->queued = false;
        if (network->gone && !own())
            leave(w, network);
    }
    if (w->leaving && !w->worker.draining)
        w->worker.draining = worker_drain(&w->worker, retiring ? MSG_RETIRE : MSG_DRAIN);
    return !w->leaving || w->worker.draining;
}

/* There is no process left: the slot is free, and so is the place of a network that had it for itself. What
 * the loop has seen already for its descriptors may still come. */
static void retire(struct host_worker *w)
{
    loop_timer(&w->timer, 0);
    logsocket_end(&w->worker.log);
    if (w->worker.counters >= 0)
        close(w->worker.counters);
    if (w->starting)
        starting--;
    behind -= w->queue != 0;
    uint16_t networks = w->networks;
    *w = (struct host_worker){
        .channel = {on_channel}, .relay = {on_relay}, .networks = networks, .count = w->count};
    begun--;
    struct host_network *network = own() && networks != 0 ? networks_place(networks - 1U) : NULL;
    if (network != NULL && network->gone)
        leave(w, network);
}

/* What follows for a worker from whatever was done with it. */
static void follow(struct host_worker *w, int step)
{
    struct worker *worker = &w->worker;
    if (step != 0)
        host_end(step);
    if (!w->begun)
        return;
    bool done = !serves(w) || flush(w);
    w->alive |= worker->channel.fd >= 0;
    if (w->leaving && !w->alive && !w->queued) {
        retire(w);
        return;
    }
    if (worker->channel.fd >= 0 &&
        !loop_watch(&w->channel, worker->channel.fd, done ? EPOLLIN : EPOLLIN | EPOLLOUT))
        host_unwatched();
    if (worker->log.relay >= 0 && !loop_watch(&w->relay, worker->log.relay, worker->log.waits ? 0 : EPOLLIN))
        host_unwatched();
    int64_t due = worker_next_due(worker), soon = clock_now() + RELAY_AGAIN_MS;
    loop_timer(&w->timer, worker->log.waits && (due == 0 || due > soon) ? soon : due);
}

/* --- from start to end --- */

/* The first one goes alone: nobody else is started before it serves and our power is gone. */
static void start_next(void)
{
    while (nursery_ready && starts != 0 && starting < (owner.settled ? STARTS_AT_ONCE : 1)) {
        struct host_worker *w = &table[starts - 1];
        starts = w->next_start;
        w->queued = false;
        if (!w->leaving) {
            w->starting = true;
            starting++;
        }
        follow(w, w->leaving ? 0 : worker_start(&w->worker));
    }
}

/* What follows from whatever was done with a worker, for it and for those that wait to be started. */
static void after(struct host_worker *w, int step)
{
    follow(w, step);
    start_next();
}

static void start(struct host_worker *w)
{
    uint16_t slot = slot_of(w);
    if (w->begun)
        return;
    w->channel.ready = on_channel;
    w->relay.ready = on_relay;
    w->timer.run = on_time;
    w->begun = w->queued = true;
    begun++;
    worker_begin(&w->worker, &owner, slot);                           /* opens no log, so it can't fail */
    w->worker.counters = counters_make(owner.settings->max_networks); /* or nothing is counted */
    w->next_start = 0;
    if (starts == 0)
        starts = (uint16_t)(slot + 1);
    else
        table[starts_last - 1].next_start = (uint16_t)(slot + 1);
    starts_last = (uint16_t)(slot + 1);
    start_next();
}

/* What it serves it is told as networks come, from the moment when it serves: see on_serving(). */
static bool hand_over(struct worker *worker)
{
    (void)worker;
    return true;
}

static int on_serving(struct worker *worker)
{
    struct host_worker *w = (void *)worker;
    for (uint16_t at = w->networks; at != 0; at = networks_place(at - 1U)->next)
        enqueue(w, networks_place(at - 1U));
    if (w->starting)
        starting--;
    w->starting = false;
    int step = owner.settled ? 0 : first_serves();
    if (!owner.settled) {
        owner.settled = owner.lasting = true;
        for (unsigned i = 1; i < host->workers; i++)
            start(&table[i]);
    }
    start_next();
    return step;
}

void workers_begin(const struct host_config *config, struct channel *nursery, const struct facts *facts,
                   int (*serving)(void))
{
    host = config;
    first_serves = serving;
    owner = (struct worker_owner){.nursery = nursery,
                                  .settings = &config->common.worker,
                                  .facts = facts,
                                  .log_apart = true,
                                  .look = power_look,
                                  .hand_over = hand_over,
                                  .serving = on_serving};
}

void workers_start(void)
{
    nursery_ready = true;
    start(&table[0]);
    start_next();
}

void workers_assign(uint32_t place)
{
    struct host_network *network = networks_place(place);
    struct host_worker *w = &table[own() ? place : 0];
    for (unsigned i = 1; i < host->workers; i++) {
        if (table[i].count < w->count)
            w = &table[i];
    }
    network->worker = slot_of(w);
    network->previous = 0;
    network->next = w->networks;
    if (w->networks != 0)
        networks_place(w->networks - 1U)->previous = (uint16_t)(place + 1);
    w->networks = (uint16_t)(place + 1);
    w->count++;
}

static void end(struct host_worker *w)
{
    w->leaving = true;
    w->worker.due = 0;
    if (!serves(w)) {
        w->worker.draining = true;
        if (w->worker.channel.fd >= 0)
            after(w, worker_end(&w->worker));
    }
    after(w, 0);
}

void workers_tell(uint32_t place)
{
    struct host_network *network = networks_place(place);
    struct host_worker *w = &table[network->worker];
    if (!w->begun) { /* whoever is started hears of all its networks when it serves */
        if (network->gone)
            leave(w, network);
        else if (own() && network->inode != 0)
            start(w);
        return;
    }
    if (network->gone && !network->queued && !network->forget && !own()) { /* it was never told */
        leave(w, network);
        return;
    }
    enqueue(w, network);
    if (own() && network->gone)
        end(w);
    else
        after(w, 0);
}

int workers_ended(uint16_t slot, int status)
{
    struct host_worker *w = &table[slot];
    int step = 0;
    if (!w->begun || !w->alive)
        return 0;
    if (w->worker.channel.fd >= 0)
        step = worker_receive(&w->worker); /* its last words */
    w->alive = false;
    if (w->starting)
        starting--;
    w->starting = false;
    behind -= w->queue != 0;
    w->queue = 0;
    for (uint16_t at = w->networks; at != 0;) {
        struct host_network *network = networks_place(at - 1U);
        at = network->next;
        network->queued = false;
        networks_forgotten(network);
        if (network->gone && !own())
            leave(w, network);
    }
    if (step == 0)
        step = worker_ended(&w->worker, status);
    after(w, owner.lasting ? 0 : step);
    start_next();
    return owner.lasting ? 0 : step;
}

void workers_drain(bool successor)
{
    retiring = successor;
    for (unsigned i = 0; i < MESSAGE_SLOTS; i++) {
        if (table[i].begun)
            end(&table[i]);
    }
}

bool workers_settled(void)
{
    return owner.settled && starting == 0 && starts == 0 && behind == 0;
}

bool workers_any(void)
{
    return begun > 0;
}

const struct worker *workers_at(uint32_t slot)
{
    return slot < MESSAGE_SLOTS && table[slot].begun ? &table[slot].worker : NULL;
}

uint32_t workers_load(uint32_t slot)
{
    return slot < MESSAGE_SLOTS ? table[slot].count : 0;
}
