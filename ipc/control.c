/*
 * The table of requests, and the checks that hold for all. See control.h.
 */
#include "ipc/control.h"

#include "ipc/text.h"

#include <string.h>

#define ALL_PEERS  (CONTROL_BY_ROOT | CONTROL_BY_GROUP)
#define ALL_PHASES (CONTROL_SERVING | CONTROL_ENDING | CONTROL_UPGRADING)

/* A second of one client's requests costs the daemon a part of that second only: what touches one network is
 * cheap, what runs over all of them, or lets others do so, is not. */
static const struct control_rule rules[CONTROL_REQUEST_COUNT] = {
    [CONTROL_ADD] = {ALL_PEERS, CONTROL_SERVING, CONTROL_SPEC, 1, 5000},
    [CONTROL_REMOVE] = {ALL_PEERS, CONTROL_SERVING, CONTROL_UUID, 0, 5000},
    [CONTROL_LIST] = {ALL_PEERS, ALL_PHASES, CONTROL_NO_BODY, 0, 10},
    [CONTROL_SHOW] = {ALL_PEERS, ALL_PHASES, CONTROL_UUID, 0, 5000},
    [CONTROL_STATS] = {ALL_PEERS, ALL_PHASES, CONTROL_NO_BODY, 0, 10},
    [CONTROL_HEALTH] = {ALL_PEERS, ALL_PHASES, CONTROL_NO_BODY, 0, 50},
    [CONTROL_DRAIN] = {CONTROL_BY_ROOT, CONTROL_SERVING, CONTROL_UUID_OR_NONE, 0, 100},
    [CONTROL_LEASE] = {CONTROL_BY_ROOT, CONTROL_SERVING, CONTROL_SPEC, 1, 100},
    [CONTROL_RELOAD] = {CONTROL_BY_ROOT, CONTROL_SERVING, CONTROL_NO_BODY, 0, 5},
    [CONTROL_UPGRADE] = {CONTROL_BY_ROOT, CONTROL_SERVING, CONTROL_NO_BODY, 0, 5},
};

/* No padding: every byte of the structures has a name and is checked. */
_Static_assert(sizeof(struct control_request) == 8 + sizeof(struct network_spec), "requests have no padding");
_Static_assert(sizeof(struct control_network) ==
                   sizeof(struct network_spec) + 16 + CONTROL_FILE_SIZE + CONTROL_REASON_SIZE,
               "networks have no padding");
_Static_assert(sizeof(struct control_worker) == 32, "workers have no padding");
_Static_assert(sizeof(struct control_daemon) == 24 + 4 * NETWORK_STATE_COUNT + 16 + 2 * CONTROL_REASON_SIZE,
               "the daemon has no padding");

const struct control_rule *control_rule(uint16_t type)
{
    return type > CONTROL_NONE && type < CONTROL_REQUEST_COUNT ? &rules[type] : NULL;
}

void control_request_begin(struct control_request *request, enum control_request_type type)
{
    memset(request, 0, sizeof(*request));
    request->version = CONTROL_VERSION;
    request->type = (uint16_t)type;
}

void control_reply_begin(struct control_reply *reply, enum control_reply_type type)
{
    memset(reply, 0, sizeof(*reply));
    reply->version = CONTROL_VERSION;
    reply->type = (uint16_t)type;
}

static bool uuid_valid(const char *uuid)
{
    return text_stored_well(uuid, NETWORK_UUID_SIZE) && text_is_uuid(uuid, strlen(uuid));
}

bool control_request_valid(const struct control_request *request, unsigned descriptors)
{
    const struct control_rule *rule = control_rule(request->type);
    size_t used = 0;
    if (request->version != CONTROL_VERSION || rule == NULL || request->reserved != 0 ||
        descriptors > rule->descriptors)
        return false;
    if (rule->body == CONTROL_SPEC) {
        used = sizeof(request->body.spec);
        if (network_spec_valid(&request->body.spec) != NULL)
            return false;
        if (descriptors == 0 && request->body.spec.netns[0] == '\0')
            return false;
    } else if (rule->body != CONTROL_NO_BODY && request->body.uuid[0] != '\0') {
        used = sizeof(request->body.uuid);
        if (!uuid_valid(request->body.uuid))
            return false;
    } else if (rule->body == CONTROL_UUID) {
        return false;
    }
    return bytes_zero((const char *)&request->body + used, sizeof(request->body) - used);
}

static bool network_row_valid(const struct control_network *row)
{
    bool described = !bytes_zero(&row->spec, sizeof(row->spec));
    return (described ? network_spec_valid(&row->spec) == NULL
                      : row->state == NETWORK_FAILED && row->file[0] != '\0') &&
           row->state < NETWORK_STATE_COUNT && row->origin < ORIGIN_COUNT &&
           bytes_zero(row->reserved, sizeof(row->reserved)) &&
           text_stored_well(row->file, sizeof(row->file)) && text_stored_well(row->error, sizeof(row->error));
}

static bool daemon_row_valid(const struct control_daemon *row)
{
    return text_stored_well(row->version, sizeof(row->version)) && row->draining <= 1 &&
           row->reloading <= 1 && row->upgrading <= 1 && bytes_zero(row->reserved, sizeof(row->reserved)) &&
           text_stored_well(row->error, sizeof(row->error)) &&
           text_stored_well(row->upgrade_error, sizeof(row->upgrade_error));
}

/* How much of the body the type uses, where that is well; else more than there is. */
static size_t reply_used(const struct control_reply *reply)
{
    const size_t bad = sizeof(reply->body) + 1;
    switch ((enum control_reply_type)reply->type) {
    case CONTROL_OK:
        return 0;
    case CONTROL_ERROR:
        return text_stored_well(reply->body.reason, CONTROL_REASON_SIZE) ? CONTROL_REASON_SIZE : bad;
    case CONTROL_NETWORK:
        return network_row_valid(&reply->body.network) ? sizeof(reply->body.network) : bad;
    case CONTROL_COUNTERS:
        return uuid_valid(reply->body.counters.uuid) ? sizeof(reply->body.counters) : bad;
    case CONTROL_WORKER:
        return reply->body.worker.serving <= 1 && bytes_zero(reply->body.worker.reserved, 7)
                   ? sizeof(reply->body.worker)
                   : bad;
    case CONTROL_DAEMON:
        return daemon_row_valid(&reply->body.daemon) ? sizeof(reply->body.daemon) : bad;
    default:
        return bad;
    }
}

bool control_reply_valid(const struct control_reply *reply)
{
    size_t used = reply_used(reply);
    bool error = reply->type == CONTROL_ERROR;
    return reply->version == CONTROL_VERSION && reply->reserved == 0 && used <= sizeof(reply->body) &&
           (reply->code != CONTROL_FINE) == error && reply->code < CONTROL_CODE_COUNT &&
           bytes_zero((const char *)&reply->body + used, sizeof(reply->body) - used);
}

enum channel_result control_send(int fd, const struct control_request *request, int netns)
{
    unsigned count = netns >= 0;
    if (!control_request_valid(request, count))
        return packet_bad();
    return packet_send(fd, request, sizeof(*request), &netns, count);
}

enum channel_result control_receive_alone(int fd, struct control_request *request)
{
    bool cut;
    ssize_t length = packet_receive_alone(fd, request, sizeof(*request), &cut);
    if (length < 0)
        return packet_failed();
    if (length == sizeof(*request) && !cut && control_request_valid(request, 0))
        return CHANNEL_OK;
    return length == 0 ? CHANNEL_CLOSED : packet_bad();
}

enum channel_result control_receive(int fd, struct control_request *request, int *netns)
{
    struct packet_beside beside;
    ssize_t length = packet_receive(fd, request, sizeof(*request), &beside);
    if (length < 0)
        return packet_failed();
    if (length == sizeof(*request) && !beside.odd && control_request_valid(request, beside.count)) {
        *netns = beside.count != 0 ? beside.fds[0] : -1;
        return CHANNEL_OK;
    }
    packet_refuse(&beside);
    return length == 0 ? CHANNEL_CLOSED : packet_bad();
}

enum channel_result control_reply_send(int fd, const struct control_reply *reply)
{
    return packet_send(fd, reply, sizeof(*reply), NULL, 0);
}

enum channel_result control_reply_receive(int fd, struct control_reply *reply)
{
    struct packet_beside beside;
    ssize_t length = packet_receive(fd, reply, sizeof(*reply), &beside);
    if (length < 0)
        return packet_failed();
    packet_refuse(&beside);
    if (length == sizeof(*reply) && !beside.odd && beside.count == 0 && control_reply_valid(reply))
        return CHANNEL_OK;
    return length == 0 ? CHANNEL_CLOSED : packet_bad();
}
