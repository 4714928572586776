/*
 * What each request and reply may carry, and the check that holds for all. See launcher.h.
 */
#include "ipc/launcher.h"

#include "ipc/message.h"
#include "ipc/steps.h"
#include "ipc/text.h"

#include <errno.h>
#include <string.h>

#define ID_MOST      0xfffffffeU /* the highest number means "no change" to the kernel */
#define ERRNO_MOST   4095        /* MAX_ERRNO: what a system call can return */
#define FILTERS_MOST 64

enum use {
    USES_NOTHING = 0,
    USES_IDS = 1 << 0, /* .uid, .descriptors, .backend, .name */
    USES_GID = 1 << 1,
    USES_PID = 1 << 2,
    USES_STATUS = 1 << 3,
    USES_FILTERS = 1 << 4,
    USES_WHY = 1 << 5,
};

static const struct {
    unsigned phases;
    unsigned asks, descriptors;         /* what the request uses, and how many descriptors go with it */
    unsigned answers, descriptors_back; /* the same of a reply that tells no failure */
} types[LAUNCHER_TYPE_COUNT] = {
    [LAUNCHER_READER] = {LAUNCHER_NEW | LAUNCHER_NURSED, USES_NOTHING, 0, USES_PID, 1},
    [LAUNCHER_READER_END] = {LAUNCHER_READING | LAUNCHER_BOTH, USES_NOTHING, 0, USES_STATUS, 0},
    [LAUNCHER_NURSERY] = {LAUNCHER_NEW, USES_IDS | USES_GID, 0, USES_PID | USES_FILTERS, 1},
    [LAUNCHER_LOOK] = {LAUNCHER_NURSED, USES_PID, 0, USES_WHY, 0},
    [LAUNCHER_GIVE] = {LAUNCHER_NEW | LAUNCHER_NURSED, USES_GID, 1, USES_NOTHING, 0},
    [LAUNCHER_SETTLE] = {LAUNCHER_NURSED, USES_NOTHING, 0, USES_NOTHING, 0},
    [LAUNCHER_NURSERY_END] = {0, USES_NOTHING, 0, USES_STATUS, 0},
};

/* No padding: every byte has a name and is checked. */
_Static_assert(sizeof(struct launcher_request) == 24 + SETTINGS_PATH_SIZE + NETWORK_TAG_SIZE, "no padding");
_Static_assert(sizeof(struct launcher_reply) == 28 + LAUNCHER_WHY_SIZE, "no padding");

/* The range of settings_descriptors(). */
static bool descriptors_valid(uint32_t number)
{
#define LEAST(name, standard, least, most, meaning) .name = (least),
#define MOST(name, standard, least, most, meaning)  .name = (most),
    static const struct settings smallest = {METAWARD_LIMITS(LEAST) METAWARD_TABLES(LEAST)};
    static const struct settings largest = {METAWARD_LIMITS(MOST) METAWARD_TABLES(MOST)};
    return number >= settings_descriptors(&smallest) && number <= settings_descriptors(&largest);
}

static bool known(uint16_t type)
{
    return type > LAUNCHER_NONE && type < LAUNCHER_TYPE_COUNT;
}

static bool id_valid(uint32_t id, bool used)
{
    return used ? id > 0 && id <= ID_MOST : id == 0;
}

bool launcher_allowed(uint16_t type, uint32_t phase)
{
    return known(type) && (types[type].phases & phase) != 0;
}

bool launcher_request_valid(const struct launcher_request *request, unsigned descriptors)
{
    if (request->version != LAUNCHER_VERSION || !known(request->type) || request->sequence == 0 ||
        descriptors != types[request->type].descriptors)
        return false;
    unsigned uses = types[request->type].asks;
    bool ids = (uses & USES_IDS) != 0;
    if (!id_valid(request->uid, ids) || !id_valid(request->gid, (uses & USES_GID) != 0))
        return false;
    if (uses & USES_PID ? request->pid <= 0 : request->pid != 0)
        return false;
    if (!ids)
        return request->descriptors == 0 && bytes_zero(request->backend, sizeof(request->backend)) &&
               bytes_zero(request->name, sizeof(request->name));
    return descriptors_valid(request->descriptors) && request->backend[0] != '\0' &&
           text_stored_path(request->backend, sizeof(request->backend)) &&
           text_stored_well(request->name, sizeof(request->name)) && log_tag_valid(request->name);
}

bool launcher_reply_valid(const struct launcher_reply *reply, unsigned descriptors)
{
    if (reply->version != LAUNCHER_VERSION || !known(reply->type) || reply->sequence == 0 ||
        reply->error < 0 || reply->error > ERRNO_MOST)
        return false;
    bool failed = reply->step != 0;
    if (failed ? !step_known(reply->step) : reply->error != 0)
        return false;
    unsigned uses = failed ? USES_NOTHING : types[reply->type].answers;
    if (descriptors != (failed ? 0 : types[reply->type].descriptors_back))
        return false;
    if (uses & USES_PID ? reply->pid <= 0 : reply->pid != 0)
        return false;
    if (uses & USES_FILTERS ? reply->filters > FILTERS_MOST : reply->filters != 0)
        return false;
    return (uses & USES_STATUS ? message_end_of_process(reply->status) : reply->status == 0) &&
           (uses & USES_WHY ? text_stored_well(reply->why, sizeof(reply->why))
                            : bytes_zero(reply->why, sizeof(reply->why)));
}

void launcher_request_begin(struct launcher_request *request, enum launcher_type type)
{
    *request = (struct launcher_request){.version = LAUNCHER_VERSION, .type = (uint16_t)type};
}

void launcher_reply_begin(struct launcher_reply *reply, enum launcher_type type)
{
    *reply = (struct launcher_reply){.version = LAUNCHER_VERSION, .type = (uint16_t)type};
}

enum channel_result launcher_ask(int socket, uint32_t *sent, struct launcher_request *request, int fd)
{
    request->sequence = ++*sent;
    return packet_send(socket, request, sizeof(*request), &fd, fd >= 0);
}

enum channel_result launcher_answer(int socket, uint32_t *sent, struct launcher_reply *reply, int fd)
{
    reply->sequence = ++*sent;
    return packet_send(socket, reply, sizeof(*reply), &fd, fd >= 0);
}

/* One packet of exactly `size` bytes. */
static enum channel_result receive(int socket, void *out, size_t size, struct packet_beside *beside)
{
    ssize_t length = packet_receive(socket, out, size, beside);
    if (length < 0)
        return packet_failed();
    if (length == (ssize_t)size && !beside->odd)
        return CHANNEL_OK;
    packet_refuse(beside);
    return length == 0 ? CHANNEL_CLOSED : packet_bad();
}

static enum channel_result finish(bool good, const struct packet_beside *beside, int *fd)
{
    if (!good) {
        packet_refuse(beside);
        return packet_bad();
    }
    *fd = beside->count > 0 ? beside->fds[0] : -1;
    return CHANNEL_OK;
}

enum channel_result launcher_hear(int socket, uint32_t *received, uint32_t phase,
                                  struct launcher_request *request, int *fd)
{
    struct packet_beside beside;
    enum channel_result result = receive(socket, request, sizeof(*request), &beside);
    if (result != CHANNEL_OK)
        return result;
    return finish(launcher_request_valid(request, beside.count) && request->sequence == ++*received &&
                      launcher_allowed(request->type, phase),
                  &beside, fd);
}

enum channel_result launcher_take(int socket, uint32_t *received, struct launcher_reply *reply, int *fd,
                                  pid_t *pid)
{
    struct packet_beside beside;
    enum channel_result result = receive(socket, reply, sizeof(*reply), &beside);
    if (result != CHANNEL_OK)
        return result;
    *pid = beside.pid;
    return finish(launcher_reply_valid(reply, beside.count) && reply->sequence == ++*received, &beside, fd);
}
