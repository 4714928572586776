/*
 * Receiving it. See answer.h.
 */
#include "ipc/answer.h"

#include "ipc/clock.h"
#include "ipc/instances.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static bool begun; /* the reading is there */

void answer_begin(void)
{
    begun = false;
}

static enum answer_progress bad(int error)
{
    errno = error;
    return ANSWER_BAD;
}

/* What one message of `length` bytes leads to. */
static enum answer_progress take_one(const void *bytes, size_t length, struct reading *out)
{
    if (begun)
        return length == sizeof(struct instance_batch) && instances_take(bytes) ? ANSWER_MORE : bad(EBADMSG);
    if (length != sizeof(*out) || !reading_valid(bytes))
        return bad(EBADMSG);
    *out = *(const struct reading *)bytes;
    begun = true;
    instances_begin(out->instances);
    return ANSWER_MORE;
}

enum answer_progress answer_take(int channel, struct reading *out)
{
    static union {
        struct reading reading;
        struct instance_batch batch;
        char bytes[sizeof(struct reading) + 1]; /* one more, so that what is too long shows */
    } message;
    enum answer_progress progress = ANSWER_MORE;

    while (progress == ANSWER_MORE) {
        const ssize_t length = recv(channel, &message, sizeof(message), MSG_DONTWAIT);
        if (length < 0)
            return errno == EAGAIN || errno == EINTR ? ANSWER_MORE : ANSWER_BAD;
        progress = length == 0 ? bad(ECONNRESET) : take_one(&message, (size_t)length, out);
        if (progress == ANSWER_MORE && instances_whole())
            return ANSWER_WHOLE;
    }
    return progress;
}

bool answer_await(int channel, unsigned most_ms, struct reading *out)
{
    const int64_t until = clock_now() + most_ms;
    enum answer_progress progress = ANSWER_MORE;

    answer_begin();
    while (progress == ANSWER_MORE) {
        const int64_t left = until - clock_now();
        struct pollfd polled = {.fd = channel, .events = POLLIN};
        const int ready = left > 0 ? poll(&polled, 1, (int)left) : 0;
        if (ready == 0)
            errno = ETIMEDOUT;
        if (ready == 0 || (ready < 0 && errno != EINTR))
            return false;
        progress = ready > 0 ? answer_take(channel, out) : ANSWER_MORE;
    }
    return progress == ANSWER_WHOLE;
}
