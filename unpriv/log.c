/*
 * Log lines. See log.h for the theory.
 *
 * The broken-down time is made by our own code: localtime() opens files. It is made once a second, not once a
 * line.
 */
#include "unpriv/log.h"

#include "policy/descriptors.h"
#include "unpriv/text_out.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_SIZE 144 /* "<30>" or nothing, the time, and a tag */
#define LINE_SIZE 2048
#define DAY       86400

static struct {
    int socket;
    bool enabled;
    bool iso;
    bool events_only;
    int32_t utc_offset;
    unsigned facility;
    char tag[NETWORK_TAG_SIZE]; /* of lines that concern no network */
    time_t second;              /* for which `stamp` was made */
    time_t broken_told;         /* monotonic second in which `broken` was called last */
    size_t stamp_length;
    char stamp[32];
    uint64_t lost;
    void (*broken)(int error);
    struct text_out out;
    char line[LINE_SIZE];
} state;

struct civil {
    int64_t year;
    unsigned month; /* 1 to 12 */
    unsigned day;   /* 1 to 31 */
};

/* Days since 1970-01-01 to a Gregorian date. Years are counted from March, so that the leap day is the last.
 */
static struct civil civil_from_days(int64_t days)
{
    static const uint16_t month_start[] = {0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337};
    int64_t shifted = days + 719468; /* days since 0000-03-01 */
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned month = 11;
    struct civil civil;

    while (month_start[month] > of_year)
        month--;
    civil.day = (unsigned)(of_year - month_start[month]) + 1;
    civil.month = month < 10 ? month + 3 : month - 9;
    civil.year = year + era * 400 + (month >= 10 ? 1 : 0);
    return civil;
}

static void write_clock(struct text_out *out, unsigned seconds)
{
    text_out_number(out, seconds / 3600, 2);
    text_out_bytes(out, ":", 1);
    text_out_number(out, seconds / 60 % 60, 2);
    text_out_bytes(out, ":", 1);
    text_out_number(out, seconds % 60, 2);
}

/* "2026-08-05T12:00:00+02:00" */
static void write_iso(struct text_out *out, const struct civil *civil, unsigned seconds)
{
    uint32_t offset = (uint32_t)(state.utc_offset < 0 ? -state.utc_offset : state.utc_offset) / 60;

    text_out_number(out, (uint64_t)civil->year, 4);
    text_out_bytes(out, "-", 1);
    text_out_number(out, civil->month, 2);
    text_out_bytes(out, "-", 1);
    text_out_number(out, civil->day, 2);
    text_out_bytes(out, "T", 1);
    write_clock(out, seconds);
    text_out_bytes(out, state.utc_offset < 0 ? "-" : "+", 1);
    text_out_number(out, offset / 60, 2);
    text_out_bytes(out, ":", 1);
    text_out_number(out, offset % 60, 2);
}

/* "Aug  5 12:00:00" */
static void write_rfc3164(struct text_out *out, const struct civil *civil, unsigned seconds)
{
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

    text_out_bytes(out, months[civil->month - 1], 3);
    text_out_bytes(out, "  ", civil->day < 10 ? 2 : 1);
    text_out_number(out, civil->day, 1);
    text_out_bytes(out, " ", 1);
    write_clock(out, seconds);
}

static void make_stamp(time_t now)
{
    int64_t local = (int64_t)now + state.utc_offset;
    int64_t days = (local >= 0 ? local : local - (DAY - 1)) / DAY;
    struct civil civil = civil_from_days(days);
    struct text_out out;

    text_out_begin(&out, state.stamp, sizeof(state.stamp));
    if (state.iso)
        write_iso(&out, &civil, (unsigned)(local - days * DAY));
    else
        write_rfc3164(&out, &civil, (unsigned)(local - days * DAY));
    state.stamp_length = (size_t)(out.at - state.stamp);
    state.second = now;
}

static void write_head(struct text_out *out, enum log_severity severity, const char *tag)
{
    struct timespec now = {0, 0};

    if (clock_gettime(CLOCK_REALTIME_COARSE, &now) != 0 || now.tv_sec != state.second ||
        state.stamp_length == 0)
        make_stamp(now.tv_sec);
    if (!state.iso) {
        text_out_bytes(out, "<", 1);
        text_out_number(out, state.facility * 8 + (unsigned)severity, 1);
        text_out_bytes(out, ">", 1);
    }
    text_out_bytes(out, state.stamp, state.stamp_length);
    text_out_bytes(out, " ", 1);
    text_out_string(out, tag);
    text_out_string(out, ": event=");
}

void log_begin(const struct settings *settings)
{
    state.socket = LOG_FD;
    state.enabled = settings->log_target != LOG_TO_NONE;
    state.iso = settings->log_target == LOG_TO_STDERR;
    state.events_only = settings->log_level == LOG_LEVEL_EVENTS;
    state.utc_offset = settings->utc_offset;
    state.facility = settings->log_facility;
    memcpy(state.tag, settings->log_tag, sizeof(state.tag));
    state.tag[sizeof(state.tag) - 1] = '\0';
    state.stamp_length = 0;
    state.broken_told = 0;
    state.lost = 0;
}

void log_on_broken(void (*broken)(int error))
{
    state.broken = broken;
}

void log_replace(int socket)
{
    close(state.socket);
    state.socket = socket;
}

bool log_wants(enum log_severity severity)
{
    return state.enabled && !(state.events_only && severity == LOG_SEVERITY_INFO);
}

void log_network_line(enum log_severity severity, const char *event, const char *name)
{
    text_out_begin(&state.out, state.line, sizeof(state.line));
    write_head(&state.out, severity, name);
    text_out_string(&state.out, event);
}

void log_line(enum log_severity severity, const char *event)
{
    log_network_line(severity, event, state.tag);
}

static void write_name(const char *name)
{
    text_out_bytes(&state.out, " ", 1);
    text_out_string(&state.out, name);
    text_out_bytes(&state.out, "=", 1);
}

void log_word(const char *name, const char *value)
{
    write_name(name);
    text_out_string(&state.out, value);
}

void log_number(const char *name, uint64_t number)
{
    write_name(name);
    text_out_number(&state.out, number, 1);
}

void log_text(const char *name, const char *bytes, size_t length)
{
    char *start;

    write_name(name);
    if (length == 0) {
        text_out_bytes(&state.out, "-", 1);
        return;
    }
    text_out_bytes(&state.out, "\"", 1);
    start = state.out.at;
    for (size_t i = 0; i < length; i++) {
        if (state.out.at - start > LOG_TEXT_MAX - 4) { /* room for the longest escape must be left */
            text_out_string(&state.out, "...");
            break;
        }
        text_out_escaped(&state.out, bytes[i]);
    }
    text_out_bytes(&state.out, "\"", 1);
}

/* The reader is gone: tell whoever can connect the socket again, but not for each line. */
static void tell_broken(int error)
{
    struct timespec now = {0, 0};

    if (!state.broken || clock_gettime(CLOCK_MONOTONIC_COARSE, &now) != 0)
        return;
    if (state.broken_told != 0 && now.tv_sec <= state.broken_told)
        return;
    state.broken_told = now.tv_sec;
    state.broken(error);
}

static bool send_line(const char *bytes, size_t length)
{
    if (sendto(state.socket, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0) >= 0)
        return true;
    switch (errno) {
    case ECONNREFUSED:
    case ENOTCONN:
    case ECONNRESET:
    case EPIPE:
    case ENOENT:
        tell_broken(errno);
        break;
    default: /* EAGAIN, ENOBUFS: the reader is slow */
        break;
    }
    return false;
}

static bool send_lost(void)
{
    char line[HEAD_SIZE + 64];
    struct text_out out;

    text_out_begin(&out, line, sizeof(line));
    write_head(&out, LOG_SEVERITY_WARNING, state.tag);
    text_out_string(&out, "log-lost count=");
    text_out_number(&out, state.lost, 1);
    if (!send_line(line, (size_t)(out.at - line)))
        return false;
    state.lost = 0;
    return true;
}

void log_send(void)
{
    if (!state.enabled)
        return;
    if (state.lost > 0 && !send_lost()) {
        state.lost++;
        return;
    }
    if (!send_line(state.line, (size_t)(state.out.at - state.line)))
        state.lost++;
}
