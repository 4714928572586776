/*
 * Not believing the other daemon. See handover.h.
 */
#include "ipc/handover.h"

#include "ipc/text.h"

#include <string.h>

/* No padding: every byte of the structure has a name and is checked. */
_Static_assert(sizeof(struct handover) == 24 + HANDOVER_FILE_SIZE + sizeof(struct network_spec),
               "handovers have no padding");
_Static_assert(HANDOVER_DESCRIPTORS_MAX <= PACKET_FEW, "all descriptors of a network go in one packet");

static const uint32_t phases[HANDOVER_TYPE_COUNT] = {
    [HANDOVER_READY] = HANDOVER_FIRST,    [HANDOVER_CONTROL] = HANDOVER_BEGUN,
    [HANDOVER_NETWORK] = HANDOVER_TAKING, [HANDOVER_END] = HANDOVER_TAKING,
    [HANDOVER_SERVING] = HANDOVER_GIVEN,  [HANDOVER_YOURS] = HANDOVER_TAKEN,
};

void handover_begin(struct handover *record, enum handover_type type)
{
    memset(record, 0, sizeof(*record));
    record->version = HANDOVER_VERSION;
    record->type = (uint16_t)type;
}

unsigned handover_descriptors(const struct handover *record)
{
    unsigned bits = (unsigned)record->listeners | (unsigned)record->with << SPEC_LISTENERS_MAX;
    return record->type == HANDOVER_CONTROL ? 1 : (unsigned)__builtin_popcount(bits);
}

static bool network_valid_here(const struct handover *record)
{
    const struct network_spec *spec = &record->body.spec;
    bool netns = (record->with & HANDOVER_WITH_NETNS) != 0, lease = (record->with & HANDOVER_WITH_LEASE) != 0;
    return record->state < NETWORK_STATE_COUNT && record->state != NETWORK_FAILED &&
           record->origin < ORIGIN_COUNT && network_spec_valid(spec) == NULL &&
           record->listeners >> spec->listener_count == 0 &&
           record->with <= (HANDOVER_WITH_NETNS | HANDOVER_WITH_LEASE) &&
           lease == (record->origin == ORIGIN_LEASE) && (netns || spec->netns[0] != '\0') &&
           (record->inode != 0 || (record->listeners == 0 && record->device == 0)) &&
           text_stored_well(record->file, sizeof(record->file)) &&
           (record->file[0] != '\0') == (record->origin == ORIGIN_FILE);
}

bool handover_valid(const struct handover *record, unsigned descriptors)
{
    const size_t head = offsetof(struct handover, state);
    if (record->version != HANDOVER_VERSION || record->type == HANDOVER_NONE ||
        record->type >= HANDOVER_TYPE_COUNT)
        return false;
    if (record->type == HANDOVER_NETWORK)
        return network_valid_here(record) && descriptors == handover_descriptors(record);
    if (record->type != HANDOVER_CONTROL)
        return descriptors == 0 && bytes_zero((const char *)record + head, sizeof(*record) - head);
    return descriptors == 1 &&
           bytes_zero((const char *)record + head, offsetof(struct handover, body) - head) &&
           record->body.path[0] == '/' && text_stored_path(record->body.path, sizeof(record->body.path)) &&
           bytes_zero((const char *)&record->body + sizeof(record->body.path),
                      sizeof(record->body) - sizeof(record->body.path));
}

bool handover_allowed(uint16_t type, uint32_t phase)
{
    return type < HANDOVER_TYPE_COUNT && (phases[type] & phase) != 0;
}

enum channel_result handover_send(int fd, const struct handover *record, const int *fds)
{
    unsigned count = handover_descriptors(record);
    if (!handover_valid(record, count))
        return packet_bad();
    return packet_send(fd, record, sizeof(*record), fds, count);
}

enum channel_result handover_receive(int fd, uint32_t phase, struct handover *record,
                                     int fds[HANDOVER_DESCRIPTORS_MAX], pid_t *pid)
{
    struct packet_beside beside;
    ssize_t length = packet_receive(fd, record, sizeof(*record), &beside);
    if (length < 0)
        return packet_failed();
    if (length == sizeof(*record) && !beside.odd && handover_valid(record, beside.count) &&
        handover_allowed(record->type, phase)) {
        for (unsigned i = 0; i < beside.count; i++)
            fds[i] = beside.fds[i];
        if (pid != NULL)
            *pid = beside.pid;
        return CHANNEL_OK;
    }
    packet_refuse(&beside);
    return length == 0 ? CHANNEL_CLOSED : packet_bad();
}
