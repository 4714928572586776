/*
 * Guests: they ask, and count what they get.
 *
 * load ADDRESS:PORT [--networks N] [--guests N] [--connections N] [--connection keep|close|leave]
 *      [--path PATH | --paths FILE] [--requests N] [--seconds S [--rate R]] [--hold | --warm]
 *
 * Connections are spread over networks (consecutive addresses of the proxy) and over guests (addresses of
 * their own, from 127.100.0.1 on), so that limits for one guest are met as in earnest.
 *
 * Closed loop, without --rate: each connection asks again as soon as it has its answer, --requests in all or
 * for
 * --seconds. That finds out what a request costs. It must not be used for times of answers: who answers
 * slowly is asked less often.
 *
 * Open loop, with --rate: requests are due at random moments, R in a second on the average, whatever the
 * proxy does. One that is due takes a connection that is free, or waits for one. The time of an answer counts
 * from when the request was due, so a stall is paid for by all that were due meanwhile.
 *
 * --connection: keep: the connection is used again. close: one a request, and the request says so. leave: one
 * a request, unsaid; the guest closes when it has its answer (python-requests, which cloud-init is built on).
 * --paths FILE: each connection is a guest that boots: it asks for each path of the file, in order, and is
 * done.
 * --hold: each connection asks once, a few at a time, and then stays, idle; "holding" is printed, and the end
 * of input awaited.
 * --warm: each connection asks once, "warm" is printed, and a line of input awaited; what comes then is what
 * counts.
 *
 * An answer counts if its status is 200 and all of its Content-Length came; everything else is a failure. One
 * line of JSON is printed: requests, failures, the first failure's reason, reconnects (a kept connection that
 * the proxy closed after an answer), seconds, and the histogram of times in microseconds.
 */
#include "histogram.h"
#include "socket.h"

#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <strings.h>

#define EVENTS      64
#define HEAD_MOST   4096
#define PATHS_MOST  64
#define HOLD_BUSY   16              /* requests at a time, of those that will be idle */
#define PATIENCE    (10 * NS_PER_S) /* for one answer */
#define FIRST_GUEST 0x7f640001      /* 127.100.0.1 */

enum connection_use { USE_KEEP, USE_CLOSE, USE_LEAVE };

struct guest {
    int fd; /* -1: not connected */
    uint32_t number;
    uint32_t asked;   /* requests, of a guest that boots */
    bool busy;        /* a request is under way */
    uint64_t due;     /* the request's moment */
    uint64_t left;    /* bytes of the body to come, once the head is there */
    uint32_t head;    /* bytes of the head so far; 0 once it is there */
    bool headed;      /* the head is there */
    bool last_answer; /* the proxy said that it closes */
    char bytes[HEAD_MOST];
};

static struct {
    const char *target;
    uint32_t networks, guests, connections;
    enum connection_use use;
    const char *paths[PATHS_MOST];
    uint32_t path_count;
    bool boot, hold, warm;
    uint64_t requests;
    double seconds, rate;
} options = {.networks = 1, .guests = 1, .connections = 1, .requests = UINT64_MAX, .seconds = 1e6};

static int epoll;
static struct guest *guests;
static struct guest **idle; /* those without a request, the one that was busy last on top */
static uint32_t idle_count;
static struct histogram times;
static uint64_t started, done, failures, reconnects, begin;
static char first_failure[128];

static void connect_guest(struct guest *guest)
{
    struct sockaddr_in there = inet_address(options.target, guest->number % options.networks);
    struct sockaddr_in here = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(FIRST_GUEST + guest->number % options.guests)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)&here, sizeof(here)) != 0)
        fail("socket");
    /* On the loopback device this is over at once, or refused. */
    if (connect(fd, (const struct sockaddr *)&there, sizeof(there)) != 0)
        fail("connect");
    guest->fd = fd;
    watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, guest);
}

static void disconnect(struct guest *guest)
{
    if (guest->fd >= 0)
        close(guest->fd);
    guest->fd = -1;
}

static const char *path_for(const struct guest *guest)
{
    return options.paths[options.boot ? guest->asked - 1 : 0];
}

static void finish(struct guest *guest, const char *failure)
{
    guest->busy = false;
    if (failure) {
        failures++;
        if (!first_failure[0])
            snprintf(first_failure, sizeof(first_failure), "%s", failure);
        disconnect(guest);
    } else {
        done++;
        histogram_add(&times, now_ns() - guest->due);
        if (options.use != USE_KEEP || guest->last_answer)
            disconnect(guest);
        if (options.use == USE_KEEP && guest->last_answer)
            reconnects++;
    }
    if (!options.boot || guest->asked < options.path_count)
        idle[idle_count++] = guest;
}

static void ask(struct guest *guest, uint64_t due)
{
    char request[1024];
    int length;

    started++;
    guest->asked++;
    guest->busy = true;
    guest->due = due;
    guest->head = 0;
    guest->headed = false;
    guest->last_answer = false;
    if (guest->fd < 0)
        connect_guest(guest);
    length = snprintf(request, sizeof(request),
                      "GET %s HTTP/1.1\r\nHost: 169.254.169.254\r\nUser-Agent: Cloud-Init/24.1\r\n"
                      "Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: %s\r\n\r\n",
                      path_for(guest), options.use == USE_CLOSE ? "close" : "keep-alive");
    if (send(guest->fd, request, (size_t)length, MSG_NOSIGNAL) != length)
        finish(guest, "request not taken");
}

/* The value of a header field, NULL where there is none. */
static const char *field(const char *head, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':')
            return line + length + 1 + strspn(line + length + 1, " ");
    }
    return NULL;
}

/* The head is complete and ends before `end`. @return NULL or the failure */
static const char *understand(struct guest *guest, char *end)
{
    static char refused[32];
    const char *length, *connection;

    *end = '\0';
    length = field(guest->bytes, "Content-Length");
    connection = field(guest->bytes, "Connection");
    if (strncmp(guest->bytes, "HTTP/1.", 7) != 0)
        return "not HTTP";
    if (strncmp(guest->bytes + 8, " 200", 4) != 0) {
        snprintf(refused, sizeof(refused), "status%.4s", guest->bytes + 8);
        return refused;
    }
    if (!length)
        return "no Content-Length";
    guest->left = strtoull(length, NULL, 10);
    guest->last_answer = guest->bytes[7] == '0' || (connection && strncasecmp(connection, "close", 5) == 0);
    guest->headed = true;
    return NULL;
}

static void take_bytes(struct guest *guest, size_t got)
{
    char *end = guest->bytes + guest->head + got, *blank;
    const char *failure;

    if (!guest->headed) {
        *end = '\0';
        blank = strstr(guest->bytes, "\r\n\r\n");
        guest->head += (uint32_t)got;
        if (!blank)
            return;
        got = (size_t)(end - (blank + 4));
        failure = understand(guest, blank + 2);
        if (failure) {
            finish(guest, failure);
            return;
        }
    }
    if (got > guest->left) {
        finish(guest, "more than its Content-Length");
        return;
    }
    guest->left -= got;
    if (guest->left == 0)
        finish(guest, NULL);
}

static void on_guest(struct guest *guest)
{
    static char body[262144];
    char *space = guest->headed ? body : guest->bytes + guest->head;
    size_t size = guest->headed ? sizeof(body) : HEAD_MOST - 1 - guest->head;
    ssize_t got;

    if (guest->fd < 0)
        return;
    got = recv(guest->fd, space, size, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (!guest->busy)
        disconnect(guest); /* an idle one that the proxy closed */
    else if (got == 0)
        finish(guest, guest->headed || guest->head > 0 ? "answer cut" : "closed without an answer");
    else if (got < 0)
        finish(guest, strerror(errno));
    else
        take_bytes(guest, (size_t)got);
}

/* @return nanoseconds until the next random moment */
static uint64_t random_gap(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15;
    double uniform;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    uniform = (double)(state >> 11) / 9007199254740992.0;
    return (uint64_t)(-log(1.0 - uniform) / options.rate * 1e9);
}

/* Let everyone ask who may. @return for how long to wait then; NULL: until something comes */
static const struct timespec *ask_all(void)
{
    static struct timespec wait;
    static uint64_t next;
    uint64_t now = now_ns();

    if (options.rate <= 0) {
        while (idle_count > 0 && started < options.requests &&
               (double)(now - begin) < options.seconds * 1e9 &&
               !(options.hold && started - done - failures >= HOLD_BUSY))
            ask(idle[--idle_count], now_ns());
        return NULL;
    }
    if (next == 0)
        next = begin;
    while (next <= now && idle_count > 0 && (double)(next - begin) < options.seconds * 1e9) {
        ask(idle[--idle_count], next);
        next += random_gap();
    }
    if ((double)(next - begin) >= options.seconds * 1e9) {
        options.requests = started; /* these were all */
        return NULL;
    }
    if (next <= now)
        return NULL; /* until a connection is free */
    wait.tv_sec = (time_t)((next - now) / NS_PER_S);
    wait.tv_nsec = (long)((next - now) % NS_PER_S);
    return &wait;
}

static bool over(void)
{
    bool asked_all = started >= options.requests ||
                     (options.rate <= 0 && (double)(now_ns() - begin) >= options.seconds * 1e9);

    return done + failures == started && (asked_all || (options.boot && idle_count == 0));
}

static void give_up(void)
{
    uint64_t now = now_ns();

    for (uint32_t i = 0; i < options.connections; i++) {
        if (guests[i].busy && now - guests[i].due > PATIENCE)
            finish(&guests[i], "no answer in time");
    }
}

static void run(void)
{
    struct epoll_event events[EVENTS];
    uint64_t looked;

    begin = looked = now_ns();
    for (;;) {
        static const struct timespec second = {1, 0};
        const struct timespec *wait = ask_all();
        int ready;

        if (over())
            return;
        ready = epoll_pwait2(epoll, events, EVENTS, wait ? wait : &second, NULL);
        if (ready < 0 && errno != EINTR)
            fail("epoll_pwait2");
        for (int i = 0; i < ready; i++)
            on_guest(events[i].data.ptr);
        if (now_ns() - looked > NS_PER_S) {
            looked = now_ns();
            give_up();
        }
    }
}

static void read_paths(const char *file)
{
    static char names[PATHS_MOST][128];
    FILE *paths = fopen(file, "re");

    if (!paths)
        fail(file);
    while (options.path_count < PATHS_MOST && fscanf(paths, "%127s %*u", names[options.path_count]) == 1) {
        options.paths[options.path_count] = names[options.path_count];
        options.path_count++;
    }
    if (fclose(paths) != 0)
        fail(file);
    options.boot = true;
}

static enum connection_use use_named(const char *name)
{
    if (strcmp(name, "keep") == 0)
        return USE_KEEP;
    return strcmp(name, "close") == 0 ? USE_CLOSE : USE_LEAVE;
}

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

static bool take_option(int option, const char *value)
{
    switch (option) {
    case 'n':
        options.networks = number(value);
        return true;
    case 'g':
        options.guests = number(value);
        return true;
    case 'c':
        options.connections = number(value);
        return true;
    case 'u':
        options.use = use_named(value);
        return true;
    case 'p':
        options.paths[0] = value;
        return true;
    case 'f':
        read_paths(value);
        return true;
    case 'r':
        options.requests = strtoull(value, NULL, 10);
        return true;
    case 's':
        options.seconds = strtod(value, NULL);
        return true;
    case 'R':
        options.rate = strtod(value, NULL);
        return true;
    case 'h':
        options.hold = true;
        return true;
    case 'w':
        options.warm = true;
        return true;
    default:
        return false;
    }
}

static void read_options(int count, char **arguments)
{
    static const struct option names[] = {
        {"networks", 1, NULL, 'n'},   {"guests", 1, NULL, 'g'},  {"connections", 1, NULL, 'c'},
        {"connection", 1, NULL, 'u'}, {"path", 1, NULL, 'p'},    {"paths", 1, NULL, 'f'},
        {"requests", 1, NULL, 'r'},   {"seconds", 1, NULL, 's'}, {"rate", 1, NULL, 'R'},
        {"hold", 0, NULL, 'h'},       {"warm", 0, NULL, 'w'},    {NULL, 0, NULL, 0},
    };
    int option;

    options.paths[0] = "/latest/meta-data/instance-id";
    while ((option = getopt_long(count, arguments, "", names, NULL)) != -1) {
        if (!take_option(option, optarg))
            exit(2);
    }
    if (optind + 1 != count || options.networks == 0 || options.guests == 0 || options.connections == 0) {
        fprintf(stderr, "usage: load ADDRESS:PORT [options], see load.c\n");
        exit(2);
    }
    options.target = arguments[optind];
    if (options.hold) { /* like a guest that boots, with a single path */
        options.boot = true;
        options.path_count = 1;
    }
}

static void all_idle(void)
{
    for (uint32_t i = 0; i < options.connections; i++)
        idle[options.connections - 1 - i] = &guests[i];
    idle_count = options.connections;
}

static void make_guests(void)
{
    guests = calloc(options.connections, sizeof(*guests));
    idle = calloc(options.connections, sizeof(struct guest *));
    if (!guests || !idle)
        fail("calloc");
    for (uint32_t i = 0; i < options.connections; i++) {
        guests[i].number = i;
        guests[i].fd = -1;
    }
    all_idle();
}

/* Everyone is connected and has asked once; that is forgotten, but for failures. */
static void warm_up(void)
{
    const double rate = options.rate, seconds = options.seconds;

    options.rate = 0;
    options.seconds = 1e6;
    options.boot = true; /* with a single path */
    options.path_count = 1;
    run();
    if (puts("warm") < 0 || fflush(stdout) != 0 || getchar() != '\n')
        fail("warm");
    options.rate = rate;
    options.seconds = seconds;
    options.boot = false;
    started = failures;
    done = reconnects = 0;
    times = (struct histogram){0};
    all_idle();
}

int main(int count, char **arguments)
{
    read_options(count, arguments);
    allow_descriptors();
    epoll = make_epoll();
    make_guests();
    if (options.warm)
        warm_up();
    run();
    printf("{\"requests\":%lu,\"failures\":%lu,\"first_failure\":\"%s\",\"reconnects\":%lu,\"seconds\":%.6f,"
           "\"times\":",
           (unsigned long)done, (unsigned long)failures, first_failure, (unsigned long)reconnects,
           (double)(now_ns() - begin) / 1e9);
    histogram_print(&times);
    if (printf("}\n%s", options.hold ? "holding\n" : "") < 0 || fflush(stdout) != 0)
        return 1;
    if (options.hold && getchar() != EOF)
        return 1;
    return 0;
}
