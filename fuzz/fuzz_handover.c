/*
 * What one daemon may send to the other at an upgrade, in both directions.
 *
 * The last two bytes are control bytes: the phase of whoever receives, and the number of descriptors beside
 * the record. The harness knows by itself what must hold for whatever is accepted. A descriptor that leaked
 * is found with dup(), which returns the lowest free number.
 */
#include "fuzz/check.h"
#include "ipc/handover.h"
#include "ipc/text.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PHASES 6

static int lowest_free(void)
{
    int fd = dup(0);

    CHECK(fd >= 0);
    close(fd);
    return fd;
}

static void check_network(const struct handover *record, unsigned sent)
{
    const struct network_spec *spec = &record->body.spec;
    unsigned count = 0;

    CHECK(text_is_uuid(spec->network.uuid, strlen(spec->network.uuid)));
    CHECK(spec->listener_count >= 1 && spec->listener_count <= SPEC_LISTENERS_MAX);
    for (unsigned i = 0; i < SPEC_LISTENERS_MAX; i++) {
        CHECK(i >= spec->listener_count || address_valid(&spec->listeners[i]));
        CHECK(i < spec->listener_count || (record->listeners >> i & 1) == 0);
        count += record->listeners >> i & 1;
    }
    CHECK(count == 0 || record->inode != 0);
    count += (record->with & 1) + (record->with >> 1 & 1);
    CHECK(record->with < 4 && count == sent);
    CHECK(record->state < NETWORK_STATE_COUNT && record->origin < ORIGIN_COUNT);
    CHECK(memchr(record->file, 0, sizeof(record->file)) != NULL);
    CHECK(memchr(spec->netns, 0, sizeof(spec->netns)) != NULL && strstr(spec->netns, "/../") == NULL);
}

static void check_record(const struct handover *record, const int *fds, unsigned sent, uint32_t phase)
{
    CHECK(record->version == HANDOVER_VERSION && handover_allowed(record->type, phase));
    for (unsigned i = 0; i < sent; i++)
        CHECK(fcntl(fds[i], F_GETFD) == FD_CLOEXEC);
    if (record->type == HANDOVER_NETWORK)
        check_network(record, sent);
    else
        CHECK(sent == (record->type == HANDOVER_CONTROL));
    if (record->type == HANDOVER_CONTROL)
        CHECK(record->body.path[0] == '/' && strlen(record->body.path) < SETTINGS_PATH_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int sent[PACKET_FEW]; /* descriptor 0 as often as asked for */
    static int ends[2] = {-1, -1};
    struct handover record;
    int fds[HANDOVER_DESCRIPTORS_MAX];

    if (ends[0] < 0)
        CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    const uint32_t phase = 1U << take_control(data, &size) % PHASES;
    const unsigned count = take_control(data, &size) % (PACKET_FEW + 1);
    const int free_before = lowest_free();
    if (size > 4096)
        size = 4096;
    CHECK(packet_send(ends[0], data, size, sent, count) == CHANNEL_OK);
    if (handover_receive(ends[1], phase, &record, fds, NULL) == CHANNEL_OK) {
        check_record(&record, fds, count, phase);
        for (unsigned i = 0; i < count; i++)
            close(fds[i]);
    }
    CHECK(lowest_free() == free_before);
    return 0;
}
