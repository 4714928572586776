/*
 * What stands in the place of the installed daemon at an upgrade: it hands its standard input, the end of the
 * handover, to a test that listens at an abstract address, and waits for its end.
 */
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0" TEST_NAME};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec piece = {.iov_base = "x", .iov_len = 1};
    struct msghdr header = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    int handover = STDIN_FILENO, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &handover, sizeof(handover));
    if (connect(fd, (const struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof("\0" TEST_NAME) - 1)) != 0 ||
        sendmsg(fd, &header, 0) != 1)
        return 1;
    close(STDIN_FILENO);
    for (;;)
        pause();
}
