/*
 * metawardctl top: the busiest networks, looked at again and again.
 *
 * A network's rate is the difference of two looks. On a terminal the table is drawn in the alternate screen
 * with plain ANSI sequences, until q, Ctrl-C or the end of the input; elsewhere, and with --once, it is
 * printed once.
 */
#include "ctl/records.h"
#include "ctl/table.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_LEAST 0.2
#define INTERVAL_MOST  3600.0
#define HEAD_LINES     3 /* above the networks */

#define ENTER "\033[?1049h\033[?25l" /* alternate screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"
#define HOME  "\033[H"
#define NEWLN "\033[K\n" /* clear the rest of the line */
#define BELOW "\033[J"

struct look {
    struct records records;
    double at; /* seconds */
};

struct busy {
    const struct record *record;
    double rate; /* requests a second */
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static int look(struct ctl *ctl, struct look *out)
{
    char reason[CONTROL_REASON_SIZE] = "";
    struct timespec now;
    int status = records_fetch(ctl, &out->records, reason);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    out->at = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    if (status != CTL_OK)
        (void)fprintf(stderr, "metawardctl: %s\n", reason);
    return status;
}

static uint64_t requests_of(const struct record *record)
{
    return sum(record->counters.requests, COUNTERS_CLASSES);
}

/* Both looks are in the order of ids; a network that was not there before has all its requests new. */
static size_t compare_looks(const struct look *before, const struct look *now, struct busy *out)
{
    size_t old = 0, count = 0;
    double seconds = now->at - before->at > 0.001 ? now->at - before->at : 0.001;
    for (size_t i = 0; i < now->records.count; i++) {
        const struct record *record = &now->records.at[i];
        const char *uuid = record->network.spec.network.uuid;
        uint64_t earlier = 0;
        while (old < before->records.count &&
               strcmp(before->records.at[old].network.spec.network.uuid, uuid) < 0)
            old++;
        if (old < before->records.count &&
            strcmp(before->records.at[old].network.spec.network.uuid, uuid) == 0)
            earlier = requests_of(&before->records.at[old]);
        uint64_t more = requests_of(record) >= earlier ? requests_of(record) - earlier : requests_of(record);
        if (uuid[0] != '\0')
            out[count++] = (struct busy){record, (double)more / seconds};
    }
    return count;
}

static int busier(const void *one, const void *other)
{
    const struct busy *a = one, *b = other;
    if (a->rate != b->rate)
        return a->rate < b->rate ? 1 : -1;
    return strcmp(a->record->network.spec.network.uuid, b->record->network.spec.network.uuid);
}

static void print_head(const struct records *records, const struct busy *busy, size_t count, const char *end)
{
    double rate = 0;
    uint64_t waiting = 0, at_agent = 0, open = 0;
    for (size_t i = 0; i < count; i++) {
        rate += busy[i].rate;
        waiting += busy[i].record->counters.queued;
        at_agent += busy[i].record->counters.in_flight;
        open += busy[i].record->counters.open_now;
    }
    const uint32_t *networks = records->daemon.networks;
    printf("metaward %s: %zu workers; networks: %u serving, %u waiting, %u failed, %u draining%s",
           records->daemon.version, records->worker_count, networks[NETWORK_SERVING],
           networks[NETWORK_WAITING], networks[NETWORK_FAILED], networks[NETWORK_DRAINING], end);
    printf("%.1f requests/s, %" PRIu64 " connections, %" PRIu64 " waiting, %" PRIu64 " at the agent%s", rate,
           open, waiting, at_agent, end);
}

static void print_busy(const struct busy *busy, size_t count, size_t width, const char *end)
{
    static const char *const heads[] = {"NETWORK",   "STATE", ">REQ/S", ">REQUESTS", ">OPEN",   ">WAITING",
                                        ">AT-AGENT", ">4XX",  ">5XX",   ">RATE",     ">SPOOFS", ">P99-MS"};
    struct table table;
    table_begin(&table, heads, sizeof(heads) / sizeof(heads[0]));
    for (size_t i = 0; i < count; i++) {
        const struct counters *c = &busy[i].record->counters;
        const uint64_t numbers[] = {requests_of(busy[i].record),
                                    c->open_now,
                                    c->queued,
                                    c->in_flight,
                                    c->requests[4],
                                    c->requests[5],
                                    c->rate_limited,
                                    c->spoofs};
        table_cell(&table, "%s", busy[i].record->network.spec.network.uuid);
        table_cell(&table, "%s", state_name(busy[i].record->network.state));
        table_cell(&table, "%.1f", busy[i].rate);
        for (size_t j = 0; j < sizeof(numbers) / sizeof(numbers[0]); j++)
            table_cell(&table, "%" PRIu64, numbers[j]);
        table_cell(&table, "%s", latency_text(c, 99));
    }
    table_print(&table, stdout, width, end);
}

/* One picture: as many networks as fit, the busiest first. `rows` 0: as the terminal has. */
static int draw(const struct look *before, const struct look *now, size_t rows, bool screen)
{
    struct winsize size = {0};
    struct busy *busy = calloc(now->records.count + 1, sizeof(*busy));
    if (busy == NULL)
        return CTL_REFUSED;
    size_t count = compare_looks(before, now, busy);
    qsort(busy, count, sizeof(*busy), busier);
    if (screen)
        (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    const char *end = screen ? NEWLN : "\n";
    if (screen)
        (void)fputs(HOME, stdout);
    print_head(&now->records, busy, count, end);
    if (rows == 0 && size.ws_row > HEAD_LINES + 1)
        rows = size.ws_row - HEAD_LINES - 1U;
    print_busy(busy, rows != 0 && rows < count ? rows : count, size.ws_col, end);
    if (screen)
        (void)fputs(BELOW, stdout);
    free(busy);
    return fflush(stdout) == 0 ? CTL_OK : CTL_REFUSED;
}

/* Wait; @return false where the user has seen enough */
static bool pause_for(double seconds, bool screen)
{
    struct pollfd polled = {.fd = screen ? STDIN_FILENO : -1, .events = POLLIN};
    char key;
    int ready = poll(&polled, 1, (int)(seconds * 1000));
    if (ready > 0)
        return read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q';
    return !ended && (ready == 0 || errno == EINTR);
}

static int watch(struct ctl *ctl, double interval, size_t rows, bool screen)
{
    struct look before, now;
    int status = look(ctl, &before);
    if (status != CTL_OK)
        return status;
    while (pause_for(interval, screen)) {
        status = look(ctl, &now);
        if (status != CTL_OK)
            break;
        status = draw(&before, &now, rows, screen);
        records_free(&before.records);
        before = now;
        if (!screen || status != CTL_OK)
            break;
    }
    records_free(&before.records);
    return status;
}

static int watch_on_screen(struct ctl *ctl, double interval, size_t rows)
{
    struct termios was, raw;
    const struct sigaction action = {.sa_handler = on_signal};
    if (tcgetattr(STDIN_FILENO, &was) != 0)
        return watch(ctl, interval, rows, false);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    raw = was;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    (void)fputs(ENTER, stdout);
    int status = watch(ctl, interval, rows, true);
    (void)fputs(LEAVE, stdout);
    (void)fflush(stdout);
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &was);
    return status;
}

static bool take_number(const char *text, double least, double most, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= least && *out <= most;
}

int verb_top(struct ctl *ctl, int argc, char **argv)
{
    static const struct option options[] = {CTL_COMMON,
                                            {"once", no_argument, NULL, 'o'},
                                            {"interval", required_argument, NULL, 'i'},
                                            {"rows", required_argument, NULL, 'r'},
                                            {0}};
    double interval = 2, rows = 0;
    bool once = !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO);
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'o')
            once = true;
        else if (option == 'i' && !take_number(optarg, INTERVAL_LEAST, INTERVAL_MOST, &interval))
            return ctl_usage("--interval: %g to %g seconds", INTERVAL_LEAST, INTERVAL_MOST);
        else if (option == 'r' && !take_number(optarg, 1, 100000, &rows))
            return ctl_usage("--rows: 1 to 100000");
        else if (option != 'i' && option != 'r' && !ctl_common(ctl, option))
            return CTL_USAGE;
    }
    if (optind != argc)
        return ctl_usage("top: too many words");
    return once ? watch(ctl, interval, (size_t)rows, false) : watch_on_screen(ctl, interval, (size_t)rows);
}
