/*
 * One byte, and one number with at most one descriptor. See dial.h for the theory.
 */
#include "ipc/dial.h"

#include "ipc/parcel.h"

#include <errno.h>
#include <sys/socket.h>

#define ASK        'd'
#define ERRNO_MOST 4095 /* MAX_ERRNO: what a system call can return */

bool dial_ask(int line)
{
    static const char ask = ASK;
    ssize_t sent;

    do {
        sent = send(line, &ask, sizeof(ask), MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof(ask);
}

/* What a length means that is not the expected one. */
static enum channel_result failed(ssize_t length)
{
    if (length == 0)
        return CHANNEL_CLOSED;
    if (length < 0)
        return errno == EAGAIN ? CHANNEL_AGAIN : CHANNEL_ERROR;
    errno = EBADMSG;
    return CHANNEL_BAD;
}

enum channel_result dial_receive_ask(int line)
{
    char ask[2];
    ssize_t length;

    do {
        length = recv(line, ask, sizeof(ask), MSG_DONTWAIT);
    } while (length < 0 && (errno == EINTR || errno == ECONNRESET));
    return length == 1 && ask[0] == ASK ? CHANNEL_OK : failed(length);
}

bool dial_answer(int line, int fd, int error)
{
    const int32_t number = error;

    return parcel_send(line, &number, sizeof(number), &fd, error == 0 ? 1 : 0) == (ssize_t)sizeof(number);
}

enum channel_result dial_receive_answer(int line, int *fd, int *error)
{
    struct parcel beside;
    int32_t number;
    ssize_t length = parcel_receive(line, &number, sizeof(number), &beside);

    if (length < 0)
        return failed(length);
    bool good = length == (ssize_t)sizeof(number) && beside.whole && number >= 0 && number <= ERRNO_MOST &&
                beside.count == (number == 0 ? 1 : 0);
    if (!good) {
        parcel_drop(&beside);
        return failed(length);
    }
    *fd = number == 0 ? beside.fds[0] : -1;
    *error = number;
    return CHANNEL_OK;
}
