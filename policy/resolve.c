/*
 * Finding the agent. See resolve.h for the theory.
 */
#include "policy/resolve.h"

#include "ipc/endpoint.h"
#include "ipc/report.h"
#include "ipc/steps.h"
#include "ipc/text.h"
#include "policy/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOKUP_MOST_MS 10000
#define ERRNO_MOST     4095 /* MAX_ERRNO: what a system call can return */

/* The answer, as it comes back. */
struct found {
    int32_t error; /* errno; 0: there is an address */
    struct address address;
};

static int errno_of(int result)
{
    switch (result) {
    case EAI_SYSTEM:
        return errno != 0 ? errno : EIO;
    case EAI_AGAIN:
        return EAGAIN;
    case EAI_MEMORY:
        return ENOMEM;
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return ENOENT;
    default:
        return EIO;
    }
}

static void look_up(const char *host, uint16_t port, struct found *found)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int result = getaddrinfo(host, NULL, &hints, &list);

    found->error = result != 0 ? errno_of(result) : ENOENT;
    for (const struct addrinfo *at = list; result == 0 && at != NULL; at = at->ai_next) {
        if (!address_from_sockaddr(at->ai_addr, at->ai_addrlen, &found->address))
            continue;
        found->address.port = port;
        if (endpoint_reachable(&found->address)) {
            found->error = 0;
            return;
        }
    }
    found->address = (struct address){0};
}

/* Nothing of the parent's but the way back. */
static bool keep_only(int end)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    return null >= 0 && dup3(null, 0, 0) == 0 && dup3(null, 1, 0) == 1 && dup3(null, 2, 0) == 2 &&
           close_range(3, (unsigned)end - 1, 0) == 0 && close_range((unsigned)end + 1, ~0U, 0) == 0;
}

/* In the child. @return its exit status */
static int child(const char *host, uint16_t port, int end)
{
    struct found found = {0};
    int step = confine_helper();
    if (step != 0)
        return step;
    if (!keep_only(end))
        return STEP_DESCRIPTORS;
    look_up(host, port, &found);
    return send(end, &found, sizeof(found), MSG_NOSIGNAL) == (ssize_t)sizeof(found) ? 0 : STEP_CHANNEL;
}

static bool found_valid(const struct found *found, uint16_t port)
{
    if (found->error != 0)
        return found->error > 0 && found->error <= ERRNO_MOST;
    return endpoint_reachable(&found->address) && found->address.port == port;
}

/* Wait for the one answer. @return errno, or 0 */
static int receive(int end, uint16_t port, struct address *out)
{
    struct pollfd polled = {.fd = end, .events = POLLIN};
    struct found found;
    int ready;
    do {
        ready = poll(&polled, 1, LOOKUP_MOST_MS);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        return ready == 0 ? ETIMEDOUT : errno;
    ssize_t length = recv(end, &found, sizeof(found), MSG_DONTWAIT | MSG_TRUNC);
    if (length != (ssize_t)sizeof(found) || !found_valid(&found, port))
        return EBADMSG;
    if (found.error == 0)
        *out = found.address;
    return found.error;
}

/* @return errno, or 0 */
static int ask_child(const char *host, uint16_t port, struct address *out)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return errno;
    /* The first process of its namespace: it sees nobody, whose user it may share. */
    const unsigned long flags = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD;
    pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, 0);
    if (pid == 0)
        _exit(child(host, port, ends[1]));
    int error = errno;
    close(ends[1]);
    if (pid > 0) {
        error = receive(ends[0], port, out);
        if (kill(pid, SIGKILL) != 0 || waitpid(pid, NULL, 0) != pid)
            error = errno;
    }
    close(ends[0]);
    return error;
}

static int find_address(struct config *config, struct address *out)
{
    char text[ADDRESS_TEXT_SIZE];
    bool named = !endpoint_literal(config->agent_host, config->agent_port, out);
    int error = named ? ask_child(config->agent_host, config->agent_port, out) : 0;
    if (error != 0)
        return report_failed(STEP_RESOLVE, error, config->agent_host);
    address_format(out, text);
    text_store(config->worker.backend, sizeof(config->worker.backend), text);
    if (named)
        report_event("event=agent-resolved host=%s address=%s", config->agent_host, text);
    return 0;
}

int resolve_directory(const char *socket, int *out)
{
    char directory[SETTINGS_PATH_SIZE];
    memcpy(directory, socket, sizeof(directory));
    strrchr(directory, '/')[0] = '\0';
    *out = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return *out >= 0 ? 0 : report_failed(STEP_BACKEND_DIRECTORY, errno, directory);
}

int resolve_agent(struct config *config, struct agent_place *out)
{
    *out = (struct agent_place){.directory = -1};
    return settings_dialed(&config->worker) ? find_address(config, &out->address)
                                            : resolve_directory(config->backend, &out->directory);
}
