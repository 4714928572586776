/*
 * What a client may send to the control socket, and what a daemon that is not ours may answer.
 *
 * The last two bytes are control bytes: which of the two it is, and the number of descriptors beside it. The
 * harness knows by itself what must hold for whatever is accepted. A descriptor that leaked is found with
 * dup(), which returns the lowest free number.
 */
#include "fuzz/check.h"
#include "ipc/control.h"
#include "ipc/text.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS_MOST 4

static int lowest_free(void)
{
    int fd = dup(0);

    CHECK(fd >= 0);
    close(fd);
    return fd;
}

static void check_spec(const struct network_spec *spec)
{
    CHECK(text_is_uuid(spec->network.uuid, strlen(spec->network.uuid)));
    CHECK(identity_header_name(spec->network.identity) != NULL);
    CHECK(spec->listener_count >= 1 && spec->listener_count <= SPEC_LISTENERS_MAX);
    for (unsigned i = 0; i < spec->listener_count; i++)
        CHECK(address_valid(&spec->listeners[i]));
    CHECK(strlen(spec->netns) < sizeof(spec->netns) && strstr(spec->netns, "/../") == NULL);
}

static void check_request(const struct control_request *request, int netns, unsigned sent)
{
    const struct control_rule *rule = control_rule(request->type);

    CHECK(rule != NULL && request->version == CONTROL_VERSION && sent <= rule->descriptors);
    CHECK((netns >= 0) == (sent == 1) && (netns < 0 || fcntl(netns, F_GETFD) == FD_CLOEXEC));
    if (rule->body == CONTROL_SPEC)
        check_spec(&request->body.spec);
    if (rule->body == CONTROL_UUID)
        CHECK(text_is_uuid(request->body.uuid, strlen(request->body.uuid)));
    if (rule->body == CONTROL_UUID_OR_NONE)
        CHECK(strlen(request->body.uuid) == 0 || strlen(request->body.uuid) == UUID_LENGTH);
}

static void check_reply(const struct control_reply *reply)
{
    CHECK(reply->type > CONTROL_REPLY_NONE && reply->type < CONTROL_REPLY_COUNT);
    if (reply->type == CONTROL_NETWORK) {
        const struct control_network *row = &reply->body.network;
        CHECK(row->state < NETWORK_STATE_COUNT && row->origin < ORIGIN_COUNT);
        CHECK(strlen(row->file) < sizeof(row->file) && strlen(row->error) < sizeof(row->error));
        if (row->spec.listener_count != 0)
            check_spec(&row->spec);
    }
    if (reply->type == CONTROL_ERROR)
        CHECK(reply->code != 0 && strpbrk(reply->body.reason, "\n\033") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int fds[DESCRIPTORS_MOST]; /* descriptor 0 as often as asked for */
    static int ends[2] = {-1, -1};
    struct control_request request;
    struct control_reply reply;
    int netns = -1;

    if (ends[0] < 0)
        CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    const bool to_client = take_control(data, &size) % 2;
    const unsigned count = take_control(data, &size) % (DESCRIPTORS_MOST + 1);
    const int free_before = lowest_free();
    if (size > 4096)
        size = 4096;
    CHECK(packet_send(ends[0], data, size, fds, count) == CHANNEL_OK);
    if (to_client) {
        if (control_reply_receive(ends[1], &reply) == CHANNEL_OK)
            check_reply(&reply);
    } else if (control_receive(ends[1], &request, &netns) == CHANNEL_OK) {
        check_request(&request, netns, count);
        if (netns >= 0)
            close(netns);
    }
    CHECK(lowest_free() == free_before);
    return 0;
}
