/*
 * One byte, and one number with at most one descriptor. See dial.h for the theory.
 */
#include "ipc/dial.h"

#include <errno.h>
#include <sys/socket.h>

#define ASK        'd'
#define ERRNO_MOST 4095 /* MAX_ERRNO: what a system call can return */

enum channel_result dial_ask(int line)
{
    static const char ask = ASK;

    return packet_send(line, &ask, sizeof(ask), NULL, 0);
}

/* Not packet_receive(): the dialer takes no descriptor from a worker, and recvfrom() can bring none. */
enum channel_result dial_receive_ask(int line)
{
    char ask[2]; /* room for one byte too many */
    ssize_t length;

    do {
        length = recv(line, ask, sizeof(ask), MSG_DONTWAIT);
    } while (length < 0 && (errno == EINTR || errno == ECONNRESET));
    if (length <= 0)
        return length == 0 ? CHANNEL_CLOSED : packet_failed();
    return length == 1 && ask[0] == ASK ? CHANNEL_OK : packet_bad();
}

enum channel_result dial_answer(int line, int fd, int error)
{
    const int32_t number = error;

    return packet_send(line, &number, sizeof(number), &fd, error == 0 ? 1 : 0);
}

enum channel_result dial_receive_answer(int line, int *fd, int *error)
{
    struct packet_beside beside;
    int32_t number;
    ssize_t length = packet_receive(line, &number, sizeof(number), &beside);

    if (length < 0)
        return packet_failed();
    bool good = length == (ssize_t)sizeof(number) && !beside.odd && number >= 0 && number <= ERRNO_MOST &&
                beside.count == (number == 0 ? 1U : 0U);
    if (!good) {
        packet_refuse(&beside);
        return length == 0 ? CHANNEL_CLOSED : packet_bad();
    }
    *fd = number == 0 ? beside.fds[0] : -1;
    *error = number;
    return CHANNEL_OK;
}
