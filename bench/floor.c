/*
 * The floor: what a relay costs that understands nothing. No proxy of this design can cost less.
 *
 * floor ADDRESS:PORT SOCKET [--networks N] [--close] [--reuse] [--log SOCKET]
 *
 * The connections are those of a metadata proxy: a guest's connection stays for its next request; for each
 * request there is a new connection to the agent, the answer is read up to its end, and passed on. But
 * nothing is parsed, checked, rewritten, limited or timed: what comes with one read from the guest is the
 * request, and what comes from the agent is the answer. So what it costs is the kernel's work, and little
 * else:
 *
 *     epoll_wait, recv (guest), socket, connect, send (agent), [epoll_ctl], recv (agent), send (guest), recv
 * (end), close, and for a new guest accept4, epoll_ctl, close
 *
 * Agents are asked for their answer once after all guests that were ready have been heard: by then most have
 * answered, which saves their registration with epoll.
 *
 * --networks N: listens on so many consecutive addresses, as one process for many networks would.
 * --close: the guest's connection ends with the answer. (Who parses nothing does not see that it was asked
 * for.)
 * --reuse: the agent's connection stays with the guest's; one read is then taken for a whole answer.
 * --log SOCKET: one datagram of the usual length for each request.
 */
#include "socket.h"

#include <getopt.h>
#include <stdbool.h>

#define EVENTS  64
#define SPACE   65536
#define PENDING 1024

enum kind { LISTENER, GUEST, AGENT };

/* What an event is about; a guest and its agent's connection are one allocation, kept for the next guest. */
struct end {
    enum kind kind;
    int fd;
    struct relay *relay;
};

struct relay {
    struct end guest, agent;
    bool watched;        /* the agent's end, with epoll */
    struct relay *spare; /* the next one that is free */
};

static struct {
    bool close;
    bool reuse;
    uint32_t networks;
    const char *log;
} options = {.networks = 1};

static int epoll, log_fd = -1;
static struct sockaddr_un agent_address;
static struct relay *spare;
static struct relay *pending[PENDING]; /* asked, and not looked at yet */
static unsigned pending_count;

static struct relay *take_relay(int fd)
{
    struct relay *relay = spare ? spare : calloc(1, sizeof(*relay));

    if (!relay)
        fail("calloc");
    spare = relay->spare;
    *relay = (struct relay){.guest = {GUEST, fd, relay}, .agent = {AGENT, -1, relay}};
    return relay;
}

static void leave_agent(struct relay *relay)
{
    if (relay->agent.fd >= 0)
        close(relay->agent.fd);
    relay->agent.fd = -1;
    relay->watched = false;
}

static void end_relay(struct relay *relay)
{
    leave_agent(relay);
    close(relay->guest.fd);
    relay->guest.fd = -1;
    relay->spare = spare;
    spare = relay;
}

static void reach_agent(struct relay *relay)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fail("socket");
    if (connect(fd, (const struct sockaddr *)&agent_address, sizeof(agent_address)) != 0)
        fail("connect");
    relay->agent.fd = fd;
}

static void log_request(void)
{
    static const char line[] =
        "<134>Aug  1 00:00:00 floor-3f2504e0-4f89-41d3-9a0c-0305e82c3301: event=request guest=127.0.0.2 "
        "method=GET "
        "target=/latest/meta-data/instance-id status=200 reason=- bytes=187 ms=0 queue_ms=0";

    if (log_fd >= 0 && send(log_fd, line, sizeof(line) - 1, MSG_DONTWAIT) < 0 && errno != EAGAIN)
        fail("log");
}

/* The answer, or a part of it, is passed on; a blocking send, in place of all that waiting for a guest takes.
 */
static void pass_on(struct relay *relay, const char *bytes, size_t length)
{
    if (send(relay->guest.fd, bytes, length, MSG_NOSIGNAL) >= 0)
        return;
    if (errno != EPIPE && errno != ECONNRESET)
        fail("send");
}

static void answered(struct relay *relay)
{
    log_request();
    if (!options.reuse)
        leave_agent(relay);
    if (options.close)
        end_relay(relay);
}

static void read_answer(struct relay *relay)
{
    static char bytes[SPACE];

    for (;;) {
        ssize_t got = recv(relay->agent.fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (got < 0 && errno == EAGAIN) {
            if (!relay->watched)
                watch(epoll, EPOLL_CTL_ADD, relay->agent.fd, EPOLLIN, &relay->agent);
            relay->watched = true;
            return;
        }
        if (got <= 0) {
            answered(relay);
            return;
        }
        pass_on(relay, bytes, (size_t)got);
        if (options.reuse) {
            answered(relay);
            return;
        }
    }
}

static void read_request(struct relay *relay, bool accepted)
{
    char bytes[SPACE / 16];
    ssize_t got = recv(relay->guest.fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (accepted && (!options.close || got < 0))
        watch(epoll, EPOLL_CTL_ADD, relay->guest.fd, EPOLLIN, &relay->guest);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        end_relay(relay);
        return;
    }
    if (relay->agent.fd >= 0 && !options.reuse)
        answered(relay); /* the guest had its answer before the agent's end of it was seen here */
    if (relay->agent.fd < 0)
        reach_agent(relay);
    if (send(relay->agent.fd, bytes, (size_t)got, MSG_NOSIGNAL) != got)
        fail("send");
    if (pending_count < PENDING && !relay->watched)
        pending[pending_count++] = relay;
    else
        read_answer(relay);
}

static void accept_guest(const struct end *listener)
{
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0)
        read_request(take_relay(fd), true);
    else if (errno != EAGAIN)
        fail("accept4");
}

static void handle(struct end *end)
{
    switch (end->kind) {
    case LISTENER:
        accept_guest(end);
        break;
    case GUEST:
        if (end->fd >= 0)
            read_request(end->relay, false);
        break;
    case AGENT:
        if (end->fd >= 0)
            read_answer(end->relay);
        break;
    }
}

static void run(void)
{
    struct epoll_event events[EVENTS];

    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);

        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < ready; i++)
            handle(events[i].data.ptr);
        for (unsigned i = 0; i < pending_count; i++) {
            if (pending[i]->agent.fd >= 0) /* it may have ended meanwhile, with its guest */
                read_answer(pending[i]);
        }
        pending_count = 0;
    }
}

static void listen_on(const char *address)
{
    struct end *listeners = calloc(options.networks, sizeof(*listeners));
    int on = 1;

    if (!listeners)
        fail("calloc");
    for (uint32_t i = 0; i < options.networks; i++) {
        struct sockaddr_in here = inet_address(address, i);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) !=
                0 || /* the accepted ones inherit it */
            bind(fd, (const struct sockaddr *)&here, sizeof(here)) != 0 ||
            listen(fd, SOMAXCONN) != 0)
            fail(address);
        listeners[i] = (struct end){LISTENER, fd, NULL};
        watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, &listeners[i]);
    }
}

static void reach_log(void)
{
    struct sockaddr_un there = unix_address(options.log);

    log_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (log_fd < 0 || connect(log_fd, (const struct sockaddr *)&there, sizeof(there)) != 0)
        fail(options.log);
}

static void read_options(int count, char **arguments)
{
    static const struct option names[] = {{"networks", 1, NULL, 'n'},
                                          {"close", 0, NULL, 'c'},
                                          {"reuse", 0, NULL, 'r'},
                                          {"log", 1, NULL, 'l'},
                                          {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(count, arguments, "", names, NULL)) != -1) {
        switch (option) {
        case 'n':
            options.networks = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'c':
            options.close = true;
            break;
        case 'r':
            options.reuse = true;
            break;
        case 'l':
            options.log = optarg;
            break;
        default:
            exit(2);
        }
    }
}

int main(int count, char **arguments)
{
    read_options(count, arguments);
    if (optind + 2 != count) {
        fprintf(stderr, "usage: floor ADDRESS:PORT SOCKET [options], see floor.c\n");
        return 2;
    }
    allow_descriptors();
    epoll = make_epoll();
    agent_address = unix_address(arguments[optind + 1]);
    if (options.log)
        reach_log();
    listen_on(arguments[optind]);
    run();
}
