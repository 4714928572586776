/*
 * See networks.h.
 */
#include "priv/host/networks.h"

#include "ipc/clock.h"
#include "ipc/report.h"
#include "ipc/steps.h"
#include "priv/host/namespaces.h"
#include "priv/host/workers.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define CHAINS 16384U /* a power of two */

/* Numbers that are handed out: those that came back first, then the next higher one. */
struct numbers {
    uint32_t high, spare_count;
    uint16_t spare[NETWORKS_MAX];
};

static struct host_network table[NETWORKS_MAX];
static struct numbers places, slots;
static uint16_t uuids[CHAINS], names[CHAINS]; /* heads of chains: a place plus one */
static uint32_t counts[NETWORK_STATE_COUNT];
static uint32_t most, wanted, load;
static bool own_workers; /* a worker has one network, and its listeners are counted from 0 */

static bool take(struct numbers *numbers, uint32_t limit, uint32_t *number)
{
    if (numbers->spare_count == 0 && numbers->high == limit)
        return false;
    *number = numbers->spare_count > 0 ? numbers->spare[--numbers->spare_count] : numbers->high++;
    return true;
}

static void give(struct numbers *numbers, uint32_t number)
{
    numbers->spare[numbers->spare_count++] = (uint16_t)number;
}

/* FNV-1a: whoever chooses these names may do worse than to make a chain long. */
static uint32_t chain_of(const char *text)
{
    uint32_t hash = 2166136261U;
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619U;
    return (hash ^ hash >> 16) & (CHAINS - 1);
}

static void unchain(uint16_t *link, uint32_t place, size_t member)
{
    while (*link != place + 1)
        link = (uint16_t *)(void *)((char *)&table[*link - 1] + member);
    *link = *(uint16_t *)(void *)((char *)&table[place] + member);
}

#define LINK(heads, text, place, member)                                                                     \
    do {                                                                                                     \
        uint16_t *head = &(heads)[chain_of(text)];                                                           \
        table[place].member = *head;                                                                         \
        *head = (uint16_t)((place) + 1);                                                                     \
    } while (0)
#define UNLINK(heads, text, place, member)                                                                   \
    unchain(&(heads)[chain_of(text)], place, offsetof(struct host_network, member))

void networks_begin(uint32_t limit, bool own)
{
    most = limit;
    own_workers = own;
}

struct host_network *networks_place(uint32_t place)
{
    return &table[place];
}

uint32_t networks_place_of(const struct host_network *network)
{
    return (uint32_t)(network - table);
}

const struct host_network *networks_at(uint32_t place)
{
    return place < NETWORKS_MAX && table[place].used && !table[place].gone ? &table[place] : NULL;
}

uint32_t networks_next(uint32_t place)
{
    while (place < places.high && networks_at(place) == NULL)
        place++;
    return place < places.high ? place : NETWORKS_NONE;
}

uint32_t networks_count(enum network_state state)
{
    return counts[state];
}

uint32_t networks_find(const char *uuid)
{
    uint16_t at = uuid[0] != '\0' ? uuids[chain_of(uuid)] : 0;
    while (at != 0 && strcmp(table[at - 1].spec.network.uuid, uuid) != 0)
        at = table[at - 1].by_uuid;
    return at != 0 ? at - 1U : NETWORKS_NONE;
}

struct host_network *networks_in(const char *netns)
{
    uint16_t at = names[chain_of(netns)];
    while (at != 0 && strcmp(table[at - 1].spec.netns, netns) != 0)
        at = table[at - 1].by_name;
    return at != 0 ? &table[at - 1] : NULL;
}

void networks_state(struct host_network *network, enum network_state state, const char *why, int error)
{
    bool same = network->state == state && network->why == why && network->error == error;
    bool news =
        (state == NETWORK_WAITING && why != NULL) || (state == NETWORK_SERVING && network->why != NULL);
    if (network->state != state)
        network->since = clock_now();
    counts[network->state]--;
    counts[state]++;
    network->state = (uint8_t)state;
    network->why = why;
    network->error = error;
    if (!same && news && state == NETWORK_SERVING)
        report_event("event=network-serving network=%s", network->spec.network.uuid);
    else if (!same && news)
        report_event("event=network-waiting network=%s netns=\"%s\" why=\"%s\" error=%s",
                     network->spec.network.uuid, network->spec.netns, why,
                     error != 0 ? errno_name(error) : "none");
}

bool networks_number(struct host_network *network, unsigned listener)
{
    struct host_listener *l = &network->listeners[listener];
    uint32_t number;
    if (l->has_slot)
        return true;
    if (!take(&slots, MESSAGE_LISTENERS, &number))
        return false;
    l->slot = (uint16_t)number;
    l->has_slot = true;
    return true;
}

static void close_listener(struct host_listener *listener)
{
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
    listener->untold |= listener->told;
    listener->told = false;
}

void networks_close(struct host_network *network)
{
    for (unsigned i = 0; i < SPEC_LISTENERS_MAX; i++) {
        close_listener(&network->listeners[i]);
        network->listeners[i].untold = false; /* MSG_REMOVE says it for all */
    }
    network->forget |= network->told;
    network->told = false;
    network->inode = 0;
    workers_tell(networks_place_of(network));
}

void networks_release(struct host_network *network)
{
    uint32_t place = networks_place_of(network);
    for (unsigned i = 0; i < SPEC_LISTENERS_MAX; i++) {
        if (network->listeners[i].has_slot && !own_workers)
            give(&slots, network->listeners[i].slot);
    }
    memset(network, 0, sizeof(*network));
    give(&places, place);
}

void networks_forgotten(struct host_network *network)
{
    network->told = false;
    network->forget = false;
    for (unsigned i = 0; i < SPEC_LISTENERS_MAX; i++)
        network->listeners[i].told = network->listeners[i].untold = false;
}

uint32_t networks_told_as(const struct host_network *network)
{
    return own_workers ? 0 : networks_place_of(network);
}

static bool say(struct host_network *network, struct channel *channel, enum message_type type, unsigned i)
{
    struct message message;
    message_begin(&message, type);
    message.network = type != MSG_UNLISTEN ? networks_told_as(network) : 0;
    if (type == MSG_LISTENER || type == MSG_UNLISTEN)
        message.slot = network->listeners[i].slot;
    if (type == MSG_LISTENER)
        message.body.address = network->spec.listeners[i];
    if (type == MSG_NETWORK)
        message.body.network = network->spec.network;
    return channel_send(channel, &message, &network->listeners[i].fd) == CHANNEL_OK;
}

bool networks_tell(struct host_network *network, struct channel *channel)
{
    bool served = network->told;
    if (network->forget && !say(network, channel, MSG_REMOVE, 0))
        return false;
    network->forget = false;
    for (unsigned i = 0; i < SPEC_LISTENERS_MAX; i++) {
        struct host_listener *listener = &network->listeners[i];
        if (listener->untold && !say(network, channel, MSG_UNLISTEN, i))
            return false;
        listener->untold = false;
        served = served || listener->fd >= 0;
    }
    if (served && (!network->told || network->changed) && !say(network, channel, MSG_NETWORK, 0))
        return false;
    network->told = served;
    network->changed = false;
    for (unsigned i = 0; i < SPEC_LISTENERS_MAX; i++) {
        struct host_listener *listener = &network->listeners[i];
        if (listener->fd < 0 || listener->told)
            continue;
        if (!say(network, channel, MSG_LISTENER, i))
            return false;
        listener->told = true;
    }
    return true;
}

/* Listeners that stay keep their sockets, whatever their order; the others are closed. */
static void change_listeners(struct host_network *network, const struct network_spec *spec)
{
    struct host_listener *old = network->listeners, fresh[SPEC_LISTENERS_MAX];
    bool kept[SPEC_LISTENERS_MAX] = {false}, filled[SPEC_LISTENERS_MAX] = {false};
    for (unsigned j = 0; j < spec->listener_count; j++) {
        for (unsigned i = 0; i < network->spec.listener_count && !filled[j]; i++) {
            if (kept[i] ||
                memcmp(&spec->listeners[j], &network->spec.listeners[i], sizeof(struct address)) != 0)
                continue;
            fresh[j] = old[i];
            kept[i] = filled[j] = true;
        }
    }
    for (unsigned j = 0, i = 0; j < SPEC_LISTENERS_MAX; j++) {
        if (filled[j])
            continue;
        while (kept[i])
            i++;
        close_listener(&old[i]);
        fresh[j] = old[i++];
    }
    memcpy(old, fresh, sizeof(fresh));
}

static void change(struct host_network *network, const struct network_spec *spec, int netns)
{
    bool elsewhere = netns >= 0 || strcmp(network->spec.netns, spec->netns) != 0;
    if (network->state != NETWORK_DRAINING && !elsewhere && memcmp(&network->spec, spec, sizeof(*spec)) == 0)
        return;
    network->changed |= memcmp(&network->spec.network, &spec->network, sizeof(spec->network)) != 0;
    if (elsewhere && !namespaces_same(network, netns, spec->netns))
        networks_close(network);
    change_listeners(network, spec);
    if (network->netns >= 0)
        close(network->netns);
    network->netns = netns;
    UNLINK(names, network->spec.netns, networks_place_of(network), by_name);
    network->spec = *spec;
    LINK(names, spec->netns, networks_place_of(network), by_name);
    if (network->state == NETWORK_DRAINING)
        networks_state(network, NETWORK_WAITING, NULL, 0);
    workers_tell(networks_place_of(network));
}

static struct host_network *make(const struct network_spec *spec, enum network_origin origin)
{
    uint32_t place;
    /* The numbers of a shared worker end there: one that is gone keeps its own until the worker was told. */
    if (wanted == most || !take(&places, own_workers ? NETWORKS_MAX : most, &place))
        return NULL;
    struct host_network *network = &table[place];
    *network = (struct host_network){.spec = *spec, .origin = (uint8_t)origin, .used = true, .netns = -1};
    for (unsigned i = 0; i < SPEC_LISTENERS_MAX; i++)
        network->listeners[i] =
            (struct host_listener){.fd = -1, .slot = (uint16_t)i, .has_slot = own_workers};
    network->since = clock_now();
    network->load = load;
    counts[NETWORK_WAITING]++;
    wanted++;
    return network;
}

static uint32_t refuse(int netns, const char **why, const char *reason)
{
    if (netns >= 0)
        close(netns);
    *why = reason;
    return NETWORKS_NONE;
}

uint32_t networks_add(const struct network_spec *spec, int netns, enum network_origin origin,
                      const char *file, const char **why)
{
    uint32_t place = networks_find(spec->network.uuid);
    struct host_network *network = place != NETWORKS_NONE ? &table[place] : NULL;
    if (netns < 0 && spec->netns[0] == '\0')
        return refuse(netns, why, "it names no namespace");
    if (network != NULL && network->origin != origin)
        return refuse(netns, why, "somebody else has asked for it: a file, the control socket or a lease");
    if (network != NULL && file != NULL && network->load == load && strcmp(network->file, file) != 0)
        return refuse(netns, why, "another file has a network with this id");
    if (network != NULL) {
        change(network, spec, netns);
    } else {
        network = make(spec, origin);
        if (network == NULL)
            return refuse(netns, why, "there is no room for another network");
        place = networks_place_of(network);
        network->netns = netns;
        LINK(uuids, spec->network.uuid, place, by_uuid);
        LINK(names, spec->netns, place, by_name);
        workers_assign(place);
    }
    network->load = load;
    network->detail[0] = '\0';
    if (file != NULL)
        strncpy(network->file, file, sizeof(network->file) - 1);
    namespaces_look(network);
    return place;
}

/* Listeners as they come; and where all are there, nothing is left to be looked for. */
static void adopt_listeners(struct host_network *network, const struct handover *record, const int *fds)
{
    bool complete = true;
    for (unsigned i = 0; i < network->spec.listener_count; i++) {
        int fd = (record->listeners & 1U << i) != 0 ? *fds++ : -1;
        if (fd >= 0 && networks_number(network, i))
            network->listeners[i].fd = fd;
        else if (fd >= 0)
            close(fd);
        complete = complete && network->listeners[i].fd >= 0;
    }
    if ((record->with & HANDOVER_WITH_NETNS) != 0)
        network->netns = *fds;
    if (record->state == NETWORK_DRAINING)
        networks_state(network, NETWORK_DRAINING, NULL, 0);
    else if (complete)
        networks_state(network, NETWORK_SERVING, NULL, 0);
}

uint32_t networks_adopt(const struct handover *record, const int *fds)
{
    const struct network_spec *spec = &record->body.spec;
    struct host_network *network = networks_find(spec->network.uuid) == NETWORKS_NONE
                                       ? make(spec, (enum network_origin)record->origin)
                                       : NULL;
    if (network == NULL)
        return NETWORKS_NONE;
    uint32_t place = networks_place_of(network);
    memcpy(network->file, record->file, sizeof(network->file));
    network->device = (dev_t)record->device;
    network->inode = (ino_t)record->inode;
    LINK(uuids, spec->network.uuid, place, by_uuid);
    LINK(names, spec->netns, place, by_name);
    workers_assign(place);
    adopt_listeners(network, record, fds);
    workers_tell(place);
    namespaces_look(network);
    return place;
}

static void remove_place(uint32_t place)
{
    struct host_network *network = &table[place];
    counts[network->state]--;
    wanted--;
    if (network->spec.network.uuid[0] == '\0') {
        networks_release(network);
        return;
    }
    UNLINK(uuids, network->spec.network.uuid, place, by_uuid);
    UNLINK(names, network->spec.netns, place, by_name);
    loop_timer(&network->timer, 0);
    if (network->netns >= 0)
        close(network->netns);
    network->gone = true;
    networks_close(network);
}

bool networks_remove(const char *uuid)
{
    uint32_t place = networks_find(uuid);
    if (place != NETWORKS_NONE)
        remove_place(place);
    return place != NETWORKS_NONE;
}

bool networks_drain(const char *uuid)
{
    uint32_t place = networks_find(uuid);
    if (place == NETWORKS_NONE)
        return false;
    loop_timer(&table[place].timer, 0);
    for (unsigned i = 0; i < SPEC_LISTENERS_MAX; i++)
        close_listener(&table[place].listeners[i]);
    networks_state(&table[place], NETWORK_DRAINING, NULL, 0);
    workers_tell(place);
    return true;
}

void networks_close_listeners(void)
{
    for (uint32_t i = networks_next(0); i != NETWORKS_NONE; i = networks_next(i + 1)) {
        loop_timer(&table[i].timer, 0);
        for (unsigned j = 0; j < SPEC_LISTENERS_MAX; j++)
            close_listener(&table[i].listeners[j]);
        if (table[i].state != NETWORK_FAILED) /* of a file that is no good there is nothing to drain */
            networks_state(&table[i], NETWORK_DRAINING, NULL, 0);
    }
}

void networks_loading(void)
{
    load++;
}

uint32_t networks_loaded(void)
{
    uint32_t removed = 0;
    for (uint32_t i = networks_next(0); i != NETWORKS_NONE; i = networks_next(i + 1)) {
        if (table[i].origin != ORIGIN_FILE || table[i].load == load)
            continue;
        remove_place(i);
        removed++;
    }
    return removed;
}

void networks_bad_file(const char *file, const char *detail)
{
    static const struct network_spec nothing;
    struct host_network *network = NULL;
    for (uint32_t i = networks_next(0); i != NETWORKS_NONE && network == NULL; i = networks_next(i + 1)) {
        if (table[i].origin == ORIGIN_FILE && strcmp(table[i].file, file) == 0)
            network = &table[i];
    }
    if (network == NULL && (network = make(&nothing, ORIGIN_FILE)) == NULL)
        return;
    if (network->spec.network.uuid[0] == '\0')
        networks_state(network, NETWORK_FAILED, NULL, 0);
    network->load = load;
    strncpy(network->file, file, sizeof(network->file) - 1);
    strncpy(network->detail, detail, sizeof(network->detail) - 1);
}
