/*
 * Messages from a peer that may send anything. See ipc.h.
 *
 * The harness knows by itself what must hold for whatever is accepted; that nothing else is accepted follows
 * from asking message_valid() and message_allowed() beforehand. A descriptor that leaked is found with dup(),
 * which returns the lowest free number.
 */
#include "fuzz/ipc.h"

#include "fuzz/check.h"
#include "ipc/channel.h"
#include "ipc/steps.h"
#include "ipc/text.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS_MOST 253 /* with one message, of all kernels */

static int lowest_free(void)
{
    int fd = dup(0);

    CHECK(fd >= 0);
    close(fd);
    return fd;
}

static void send_packet(int fd, uint8_t *bytes, size_t length, unsigned count)
{
    static const int fds[DESCRIPTORS_MOST]; /* descriptor 0 as often as asked for */
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(fds))];
    } control = {0};
    struct iovec piece = {.iov_base = bytes, .iov_len = length};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};

    if (count > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    }
    CHECK(sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)length);
}

static void check_settings(const struct settings *settings)
{
    CHECK(settings->backend[0] == '/' && strlen(settings->backend) < SETTINGS_PATH_SIZE);
    CHECK(strrchr(settings->backend, '/') == settings->backend && settings->backend[1] != '\0');
    CHECK(settings->forward_count <= SETTINGS_FORWARD_MAX && settings->forward_all <= 1);
    for (unsigned i = 0; i < settings->forward_count; i++) {
        const char *name = settings->forward[i];
        CHECK(!header_is_protected(name, strlen(name)) && !header_is_hop_by_hop(name, strlen(name)));
        CHECK(strpbrk(name, "_ :\r\n\t") == NULL && name[0] != '\0');
    }
    CHECK(settings->log_facility <= 23 && log_tag_valid(settings->log_tag));
    CHECK(strpbrk(settings->log_tag, " :[\n") == NULL);
    CHECK(settings->max_connections >= settings->max_connections_per_source);
    CHECK(settings->max_in_flight >= settings->max_in_flight_per_source);
    CHECK(settings->max_request_line + SETTINGS_HEAD_RESERVE <= settings->max_upstream_request);
    CHECK(settings->max_body + SETTINGS_HEAD_RESERVE <= settings->max_upstream_request);
#define RANGE(name, standard, least, most, meaning)                                                          \
    CHECK((uint64_t)settings->name + 1 > (least) && settings->name <= (most));
    METAWARD_LIMITS(RANGE)
    METAWARD_TABLES(RANGE)
    METAWARD_TIMEOUTS(RANGE)
#undef RANGE
}

static void check_network(const struct network *network)
{
    if (network->identity == IDENTITY_INSTANCE) {
        CHECK(network->uuid[0] == '\0');
    } else {
        CHECK(identity_header_name(network->identity) != NULL);
        CHECK(text_is_uuid(network->uuid, strlen(network->uuid)));
    }
    CHECK(strpbrk(network->log_tag, " :[\n") == NULL);
    for (unsigned i = 0; i < NETWORK_RATES; i++) {
        const struct rate_limit *rate = &network->rate[i];
        CHECK((rate->period_s == 0) == (rate->limit == 0));
        CHECK(rate->period_s <= 86400 && rate->limit <= 1000000);
    }
    CHECK(network->rate[0].limit != 0 || (network->rate[1].limit == 0 && !network->rate_shadow));
}

static void check_address(const struct address *address)
{
    struct address back;
    char text[ADDRESS_TEXT_SIZE];

    CHECK(address_format(address, text) == strlen(text));
    CHECK(address_parse(text, &back) == NULL && memcmp(&back, address, sizeof(back)) == 0);
}

/* What is written into requests as it stands. */
static void check_instances(const struct instance_batch *batch)
{
    CHECK(batch->total <= INSTANCES_MOST && batch->first <= batch->total);
    CHECK(batch->count <= INSTANCE_BATCH && batch->count <= batch->total - batch->first);
    CHECK(batch->count > 0 || batch->total == 0);
    for (unsigned i = 0; i < batch->count; i++) {
        const struct instance *instance = &batch->entry[i];
        CHECK(instance->family == ADDRESS_IPV4 || instance->family == ADDRESS_IPV6);
        CHECK(text_is_uuid(instance->id, strlen(instance->id)));
        CHECK(strpbrk(instance->tenant, " :\r\n\t") == NULL && instance->tenant[0] != '\0');
        CHECK(strspn(instance->signature, "0123456789abcdefABCDEF") == strlen(instance->signature));
    }
}

/* What must hold for a message that was found good, whatever message_valid() looks at. */
static void check_message(const struct message *message)
{
    CHECK(message->version == MESSAGE_VERSION && message->type > MSG_NONE && message->type < MSG_COUNT);
    const bool listener = message->type == MSG_LISTENER || message->type == MSG_UNLISTEN;
    CHECK(message->slot < (listener ? MESSAGE_LISTENERS : MESSAGE_SLOTS) && message->sequence != 0);
    CHECK(message->network < MESSAGE_NETWORKS);
    CHECK(message->type == MSG_EXITED || (message->status >= 0 && message->status < 4096));
    CHECK(message->step == 0 || strcmp(step_what(message->step), step_what(0)) != 0);
    if (message->type == MSG_SETTINGS)
        check_settings(&message->body.settings);
    if (message->type == MSG_NETWORK)
        check_network(&message->body.network);
    if (message->type == MSG_INSTANCES)
        check_instances(&message->body.instances);
    if (message->type == MSG_LISTENER)
        check_address(&message->body.address);
}

/* One packet through the pair; the receiver must take it exactly where `good` says so. */
static void pass(struct channel *channel, int from, uint8_t *bytes, size_t length, unsigned count,
                 uint32_t phase)
{
    struct message message = {0};
    struct received received;
    const int free_before = lowest_free();

    memcpy(&message, bytes, length);
    const bool valid = length == sizeof(message) && message_valid(&message, count);
    const bool good =
        valid && message_allowed(message.type, phase) && message.sequence == channel->received + 1;
    if (valid)
        check_message(&message);
    send_packet(from, bytes, length, count);
    const enum channel_result result = channel_receive(channel, phase, &received);
    CHECK((result == CHANNEL_OK) == good);
    CHECK(good || result == (length == 0 ? CHANNEL_CLOSED : CHANNEL_BAD));
    if (good) {
        CHECK(memcmp(&received.message, &message, sizeof(message)) == 0);
        CHECK(received.pid == 0 || received.pid == getpid());
        for (unsigned i = 0; i < MESSAGE_DESCRIPTORS_MAX; i++) {
            CHECK((received.fds[i] >= 0) == (i < message_descriptors(message.type)));
            CHECK(received.fds[i] < 0 || fcntl(received.fds[i], F_GETFD) == FD_CLOEXEC);
            if (received.fds[i] >= 0)
                close(received.fds[i]);
        }
    }
    CHECK(lowest_free() == free_before);
}

void ipc_fuzz(const uint8_t *data, size_t size, const uint32_t *phases, unsigned end)
{
    static const unsigned counts[] = {0, 1, 2, 3, 4, 31, 252, DESCRIPTORS_MOST};
    static int ends[2] = {-1, -1};
    struct channel channel;
    unsigned phase_count = 0;

    if (ends[0] < 0)
        CHECK(channel_pair(ends));
    while (phases[phase_count] != 0)
        phase_count++;
    const uint32_t phase = phases[take_control(data, &size) % phase_count];
    const unsigned count = counts[take_control(data, &size) % 8];
    const unsigned put_right = take_control(data, &size);
    channel_begin(&channel, ends[end]);
    do {
        uint8_t packet[sizeof(struct message)];
        const size_t length = size < sizeof(packet) ? size : sizeof(packet);
        memcpy(packet, data, length);
        if (put_right % 2 == 0 && length == sizeof(packet)) {
            const uint32_t next = channel.received + 1;
            memcpy(packet + offsetof(struct message, sequence), &next, sizeof(next));
        }
        pass(&channel, ends[1 - end], packet, length, count, phase);
        data += length;
        size -= length;
    } while (size > 0);
}
