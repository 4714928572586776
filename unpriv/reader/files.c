/*
 * Request, file, answer. See files.h.
 */
#include "unpriv/reader/files.h"

#include "ipc/steps.h"
#include "policy/descriptors.h"
#include "unpriv/reader/host_keys.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Is there just one descriptor beside the request, and at its place? */
static bool one_file(struct msghdr *message)
{
    const struct cmsghdr *control = CMSG_FIRSTHDR(message);
    int fd;

    if (message->msg_flags & (MSG_TRUNC | MSG_CTRUNC) || control == NULL ||
        control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS ||
        control->cmsg_len != CMSG_LEN(sizeof(fd)))
        return false;
    memcpy(&fd, CMSG_DATA(control), sizeof(fd));
    return fd == READER_NEXT_FD;
}

/* Wait for the next request. @return 1, 0 where there is none any more, or -1 */
static int receive(struct host_request *request)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {request, sizeof(*request)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    const ssize_t length = recvmsg(READER_ANSWER_FD, &message, MSG_CMSG_CLOEXEC);

    if (length == 0)
        return 0;
    return length == (ssize_t)sizeof(*request) && one_file(&message) ? 1 : -1;
}

/* Up to the end of the file, or one byte more than a file may have. */
static bool read_all(char text[HOST_FILE_MAX + 1], size_t *length)
{
    ssize_t more = 1;

    for (*length = 0; more > 0 && *length <= HOST_FILE_MAX; *length += more > 0 ? (size_t)more : 0)
        more = read(READER_NEXT_FD, text + *length, HOST_FILE_MAX + 1 - *length);
    return more >= 0;
}

int files_serve(void)
{
    static char text[HOST_FILE_MAX + 1];
    static struct host_request request;
    static struct host_reading reading;
    size_t length;
    int received;

    while ((received = receive(&request)) > 0) {
        if (read_all(text, &length)) {
            host_file_read(text, length, &request, &reading);
        } else {
            host_reading_begin(&reading, &request);
            host_reading_refuse(&reading, 0, NULL, "the file can't be read");
        }
        if (close(READER_NEXT_FD) != 0 || sendto(READER_ANSWER_FD, &reading, sizeof(reading), MSG_NOSIGNAL,
                                                 NULL, 0) != (ssize_t)sizeof(reading))
            return STEP_CHANNEL;
    }
    return received == 0 ? 0 : STEP_CHANNEL;
}
