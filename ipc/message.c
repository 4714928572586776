/*
 * What each message may carry, when it may come, and the check that holds for all.
 *
 * One table says everything about a type. Whatever a type does not name must be zero: a byte that nobody
 * checks is a byte that somebody may come to trust.
 */
#include "ipc/message.h"

#include "ipc/steps.h"
#include "ipc/text.h"

#include <string.h>

#define ERRNO_MOST  4095 /* MAX_ERRNO: what a system call can return */
#define SIGNAL_MOST 64   /* SIGRTMAX of Linux */

/* Fields that a type uses. */
enum use {
    USES_NOTHING = 0,
    USES_SLOT = 1 << 0,   /* of a worker */
    USES_ERRNO = 1 << 1,  /* .status is an errno, or 0 */
    USES_EXITED = 1 << 2, /* .status is what wait4() gives for a process that ended */
    USES_STEP = 1 << 3,
    USES_SETTINGS = 1 << 4,
    USES_ADDRESS = 1 << 5,
    USES_LISTENER = 1 << 6, /* .slot is that of a listener */
    USES_NUMBER = 1 << 7,   /* .network */
    USES_NETWORK = 1 << 8,  /* .body.network */
    USES_INSTANCES = 1 << 9,
    USES_ROLE = 1 << 10,
};

static const struct {
    unsigned phases; /* receiver's phases in which it may come */
    unsigned uses;
    unsigned descriptors;
} types[MSG_COUNT] = {
    [MSG_SPAWN] = {PHASE_NURSERY, USES_SLOT | USES_ROLE, 2},
    [MSG_KILL] = {PHASE_NURSERY, USES_SLOT, 0},
    [MSG_NURSERY_READY] = {PHASE_PARENT_NURSERY_START, USES_NOTHING, 0},
    [MSG_EXITED] = {PHASE_PARENT_NURSERY, USES_SLOT | USES_EXITED, 0},
    [MSG_COUNTERS] = {PHASE_WORKER_START, USES_NOTHING, 1},
    [MSG_SETTINGS] = {PHASE_WORKER_START, USES_SETTINGS, 0},
    [MSG_NETWORK] = {PHASE_WORKER_LISTENERS | PHASE_WORKER, USES_NUMBER | USES_NETWORK, 0},
    [MSG_LISTENER] = {PHASE_WORKER_LISTENERS | PHASE_WORKER, USES_LISTENER | USES_NUMBER | USES_ADDRESS, 1},
    [MSG_UNLISTEN] = {PHASE_WORKER_LISTENERS | PHASE_WORKER, USES_LISTENER, 0},
    [MSG_REMOVE] = {PHASE_WORKER_LISTENERS | PHASE_WORKER, USES_NUMBER, 0},
    [MSG_INSTANCES] = {PHASE_WORKER_LISTENERS | PHASE_WORKER, USES_INSTANCES, 0},
    [MSG_SERVE] = {PHASE_WORKER_LISTENERS, USES_NOTHING, 0},
    [MSG_LOG] = {PHASE_WORKER, USES_NOTHING, 1},
    [MSG_DRAIN] = {PHASE_WORKER, USES_NOTHING, 0},
    [MSG_RETIRE] = {PHASE_WORKER, USES_NOTHING, 0},
    [MSG_DIAL] = {PHASE_DIALER_START, USES_ADDRESS, 0},
    [MSG_LINE] = {PHASE_WORKER_LINE | PHASE_DIALER, USES_NOTHING, 1},
    [MSG_READY] = {PHASE_PARENT_WORKER_START | PHASE_PARENT_DIALER_START, USES_NOTHING, 0},
    [MSG_SERVING] = {PHASE_PARENT_WORKER_READY, USES_NOTHING, 0},
    [MSG_LOG_BROKEN] = {PHASE_PARENT_WORKER, USES_ERRNO, 0},
    [MSG_FAILED] = {PHASE_PARENT_NURSERY_START | PHASE_PARENT_NURSERY | PHASE_PARENT_WORKER_START |
                        PHASE_PARENT_WORKER_READY | PHASE_PARENT_DIALER_START,
                    USES_SLOT | USES_STEP | USES_ERRNO, 0},
};

/* No padding: every byte of the structure has a name and is checked. */
_Static_assert(sizeof(struct address) == 20 + ADDRESS_INTERFACE_SIZE, "addresses have no padding");
_Static_assert(sizeof(struct message) == 24 + sizeof(struct settings), "messages have no padding");

static bool known(uint16_t type)
{
    return type > MSG_NONE && type < MSG_COUNT;
}

unsigned message_descriptors(uint16_t type)
{
    return known(type) ? types[type].descriptors : 0;
}

bool message_allowed(uint16_t type, uint32_t phase)
{
    bool one_bit = phase != 0 && (phase & (phase - 1)) == 0;

    return known(type) && one_bit && (types[type].phases & phase) != 0;
}

void message_begin(struct message *message, enum message_type type)
{
    memset(message, 0, sizeof(*message));
    message->version = MESSAGE_VERSION;
    message->type = (uint16_t)type;
}

bool message_end_of_process(int32_t status)
{
    int signal = status & 0x7F;

    if (signal == 0)
        return (status & ~0xFF00) == 0;
    return signal <= SIGNAL_MOST && (status & ~0xFF) == 0;
}

static bool status_valid(int32_t status, unsigned uses)
{
    if (uses & USES_EXITED)
        return message_end_of_process(status);
    if (uses & USES_ERRNO)
        return status >= 0 && status <= ERRNO_MOST;
    return status == 0;
}

static bool body_valid(const struct message *message, unsigned uses)
{
    size_t used = 0;

    if (uses & USES_SETTINGS) {
        used = sizeof(message->body.settings);
        if (settings_valid(&message->body.settings) != NULL)
            return false;
    } else if (uses & USES_ADDRESS) {
        used = sizeof(message->body.address);
        if (!address_valid(&message->body.address))
            return false;
    } else if (uses & USES_NETWORK) {
        used = sizeof(message->body.network);
        if (network_valid(&message->body.network) != NULL)
            return false;
    } else if (uses & USES_INSTANCES) {
        used = sizeof(message->body.instances);
        if (!instance_batch_valid(&message->body.instances))
            return false;
    }
    return bytes_zero((const char *)&message->body + used, sizeof(message->body) - used);
}

/* How many slots there are to name; the first one stands for none where a type names none. */
static unsigned slots(unsigned uses)
{
    if (uses & USES_LISTENER)
        return MESSAGE_LISTENERS;
    return uses & USES_SLOT ? MESSAGE_SLOTS : 1;
}

bool message_valid(const struct message *message, unsigned descriptors)
{
    if (message->version != MESSAGE_VERSION || !known(message->type) || message->sequence == 0)
        return false;
    if (descriptors != types[message->type].descriptors)
        return false;
    unsigned uses = types[message->type].uses;
    if (message->role >= (uses & USES_ROLE ? SPAWN_COUNT : 1))
        return false;
    if (message->slot >= slots(uses) || message->network >= (uses & USES_NUMBER ? MESSAGE_NETWORKS : 1))
        return false;
    if (uses & USES_STEP ? !step_known(message->step) : message->step != 0)
        return false;
    return status_valid(message->status, uses) && body_valid(message, uses);
}
