/*
 * What the host daemon may ask its launcher, and what that may answer.
 *
 * The last two bytes are control bytes: who hears it, with the launcher's phase, and the number of
 * descriptors beside it. The harness knows by itself what must hold for whatever is accepted: no user or
 * group that has power, no path that leads elsewhere, a status that a process can end with. A descriptor that
 * leaked is found with dup(), which returns the lowest free number.
 */
#include "fuzz/check.h"
#include "ipc/launcher.h"
#include "ipc/steps.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PHASES 5

static int lowest_free(void)
{
    int fd = dup(0);

    CHECK(fd >= 0);
    close(fd);
    return fd;
}

static void check_text(const char *text, size_t size)
{
    size_t length = strnlen(text, size);

    CHECK(length < size);
    for (size_t i = 0; i < size; i++)
        CHECK(i < length ? text[i] >= ' ' && text[i] <= '~' : text[i] == '\0');
}

static void check_request(const struct launcher_request *request, uint32_t phase, int fd)
{
    const bool nursery = request->type == LAUNCHER_NURSERY, give = request->type == LAUNCHER_GIVE;

    CHECK(request->version == LAUNCHER_VERSION && request->sequence == 1);
    CHECK(launcher_allowed(request->type, phase) && (phase & LAUNCHER_SETTLED) == 0);
    CHECK((fd >= 0) == give);
    CHECK((request->uid != 0 && request->uid != UINT32_MAX) == nursery);
    CHECK((request->gid != 0 && request->gid != UINT32_MAX) == (nursery || give));
    CHECK((request->descriptors != 0) == nursery && request->descriptors < 65536);
    CHECK(request->type == LAUNCHER_LOOK ? request->pid > 0 : request->pid == 0);
    check_text(request->backend, sizeof(request->backend));
    check_text(request->name, sizeof(request->name));
    CHECK((request->backend[0] == '/') == nursery && (request->name[0] != '\0') == nursery);
    CHECK(strstr(request->backend, "/../") == NULL);
}

static void check_reply(const struct launcher_reply *reply, int fd)
{
    CHECK(reply->version == LAUNCHER_VERSION && reply->sequence == 1);
    CHECK(reply->type > LAUNCHER_NONE && reply->type < LAUNCHER_TYPE_COUNT);
    CHECK(reply->step == 0 || step_known(reply->step));
    CHECK(reply->error >= 0 && (reply->step != 0 || reply->error == 0));
    CHECK(reply->pid >= 0 && (fd >= 0) == (reply->pid > 0));
    CHECK(reply->step == 0 || (reply->pid == 0 && reply->status == 0 && reply->filters == 0));
    check_text(reply->why, sizeof(reply->why));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int sent[PACKET_FEW]; /* descriptor 0 as often as asked for */
    static int ends[2] = {-1, -1};
    struct launcher_request request;
    struct launcher_reply reply;
    uint32_t received = 0;
    int fd = -1;
    pid_t pid;

    if (ends[0] < 0)
        CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    const uint32_t who = take_control(data, &size) % (PHASES + 1);
    const unsigned count = take_control(data, &size) % (PACKET_FEW + 1);
    const int free_before = lowest_free();
    if (size > 4096)
        size = 4096;
    CHECK(packet_send(ends[0], data, size, sent, count) == CHANNEL_OK);
    if (who < PHASES && launcher_hear(ends[1], &received, 1U << who, &request, &fd) == CHANNEL_OK)
        check_request(&request, 1U << who, fd);
    if (who == PHASES && launcher_take(ends[1], &received, &reply, &fd, &pid) == CHANNEL_OK)
        check_reply(&reply, fd);
    CHECK(fd < 0 || fcntl(fd, F_GETFD) == FD_CLOEXEC);
    if (fd >= 0)
        close(fd);
    CHECK(lowest_free() == free_before);
    return 0;
}
