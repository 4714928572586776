/*
 * See load.h.
 */
#include "priv/host/load.h"

#include "ipc/clock.h"
#include "ipc/notify.h"
#include "ipc/report.h"
#include "ipc/text.h"
#include "policy/host_load.h"
#include "priv/host/host.h"
#include "priv/host/networks.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_MS 10 /* until the nursery, or the system, has room */

static void on_channel(struct watch *watch, uint32_t events);
static void on_time(struct timer *timer);

static struct {
    const char *file;
    const struct host_config *config;
    struct channel *nursery;
    struct watch watch;
    struct timer timer;
    enum host_files_progress progress;
    int channel; /* to the reader; -1: none, or it is done with */
    bool reader; /* there is one, or its end was not told yet */
    bool runs;   /* a load is going on */
    bool again;  /* another one was asked for meanwhile */
} self = {.watch = {on_channel}, .timer = {.run = on_time}, .channel = -1};
static struct host_files files;
static uint32_t loads;
static char error[NETWORKS_DETAIL_SIZE];

static void describe(const struct host_reading *reading, char out[NETWORKS_DETAIL_SIZE])
{
    char line[16] = "";
    if (reading->line != 0)
        snprintf(line, sizeof(line), "%u: ", reading->line);
    size_t at = text_append(out, NETWORKS_DETAIL_SIZE, 0, line);
    at = text_append(out, NETWORKS_DETAIL_SIZE, at, reading->word);
    at = text_append(out, NETWORKS_DETAIL_SIZE, at, reading->word[0] != '\0' ? ": " : "");
    text_append(out, NETWORKS_DETAIL_SIZE, at, reading->reason);
}

static void take_network(struct host_files *source, const char *name, const struct host_reading *reading)
{
    char detail[NETWORKS_DETAIL_SIZE];
    const char *why = NULL;
    (void)source;
    describe(reading, detail);
    if (reading->ok && networks_add(&reading->body.network, -1, ORIGIN_FILE, name, &why) != NETWORKS_NONE)
        return;
    if (why != NULL)
        text_append(detail, sizeof(detail), 0, why);
    report_event("event=network-failed file=%s line=%u word=%s reason=\"%s\"", name, reading->line,
                 reading->word[0] != '\0' ? reading->word : "-", why != NULL ? why : reading->reason);
    if (name[0] == '/') /* it is about the directory */
        text_append(error, sizeof(error), 0, detail);
    else
        networks_bad_file(name, detail);
}

/* The global file, read again: networks' defaults are applied, the rest is only looked at. */
static bool take_global(struct host_files *source, const struct host_reading *reading)
{
    static struct host_config found;
    (void)source;
    if (!reading->ok) {
        describe(reading, error);
        return false;
    }
    found = reading->body.host;
    found.defaults = self.config->defaults;
    found.common.worker.utc_offset = self.config->common.worker.utc_offset;
    memcpy(found.networks_directory, self.config->networks_directory, sizeof(found.networks_directory));
    if (memcmp(&found, self.config, sizeof(found)) != 0)
        report_event(
            "event=load-restart why=\"of the global file, only defaults and networks can change now\"");
    return true;
}

static const struct host_files_sink sink = {take_global, take_network};

/* The networks of files that are no more go, unless nobody could look. */
static void finish(void)
{
    uint32_t removed = error[0] == '\0' ? networks_loaded() : 0;
    loads++;
    if (error[0] != '\0')
        report_event("event=load-failed why=\"%s\"", error);
    report_event("event=loaded serving=%u waiting=%u failed=%u removed=%u", networks_count(NETWORK_SERVING),
                 networks_count(NETWORK_WAITING), networks_count(NETWORK_FAILED), removed);
}

int load_first(const char *file, const struct host_config *config)
{
    self.file = file;
    self.config = config;
    networks_loading();
    host_files_begin_networks(&files, &sink, config);
    int step = host_files_run(&files);
    if (step == 0)
        finish();
    return step;
}

static bool tell(enum message_type type, const int *fds)
{
    struct message message;
    message_begin(&message, type);
    message.slot = LOAD_SLOT;
    message.role = type == MSG_SPAWN ? SPAWN_READER : 0;
    return channel_send(self.nursery, &message, fds) == CHANNEL_OK;
}

/* The nursery, where it is behind, is told later. */
static void end_reader(void)
{
    if (!tell(MSG_KILL, NULL))
        loop_timer(&self.timer, clock_now() + AGAIN_MS);
}

/* What follows from what became of a file. */
static void go_on(enum host_files_progress progress)
{
    self.progress = progress;
    loop_timer(&self.timer, progress == HOST_FILES_WAIT ? files.due : 0);
    if (progress == HOST_FILES_WAIT)
        return;
    close(self.channel);
    self.channel = -1;
    if (progress == HOST_FILES_FAILED)
        text_append(error, sizeof(error), 0, "no reader works");
    end_reader();
}

static void start_reader(void)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        loop_timer(&self.timer, clock_now() + AGAIN_MS);
        return;
    }
    bool told = tell(MSG_SPAWN, (const int[]){ends[1], ends[1]});
    close(ends[1]);
    if (!told) {
        close(ends[0]);
        loop_timer(&self.timer, clock_now() + AGAIN_MS);
        return;
    }
    self.reader = true;
    self.channel = ends[0];
    if (!loop_watch(&self.watch, ends[0], EPOLLIN))
        host_unwatched();
    go_on(host_files_reader(&files, ends[0]));
}

static void on_channel(struct watch *watch, uint32_t events)
{
    (void)watch, (void)events;
    if (self.channel >= 0)
        go_on(host_files_receive(&files));
}

/* An answer is overdue, or the nursery, which was behind, is to be told once more. */
static void on_time(struct timer *timer)
{
    (void)timer;
    if (self.channel >= 0)
        go_on(host_files_due(&files, clock_now()));
    else if (self.reader)
        end_reader();
    else
        start_reader();
}

int load_reader_ended(int failed)
{
    self.reader = false;
    if (self.channel >= 0)
        close(self.channel);
    self.channel = -1;
    if (failed != 0) {
        text_append(error, sizeof(error), 0, "no reader can be started");
        self.progress = HOST_FILES_FAILED;
    }
    if (self.progress == HOST_FILES_READER) {
        start_reader();
        return 0;
    }
    loop_timer(&self.timer, 0);
    self.runs = false;
    finish();
    notify_tell("READY=1");
    if (self.again)
        load_again(self.nursery);
    return 0;
}

void load_again(struct channel *nursery)
{
    self.nursery = nursery;
    self.again = self.runs;
    if (self.runs)
        return;
    self.runs = true;
    error[0] = '\0';
    notify_reloading();
    networks_loading();
    host_files_begin(&files, &sink, self.file);
    start_reader();
}

bool load_runs(void)
{
    return self.runs;
}

uint32_t load_count(void)
{
    return loads;
}

const char *load_error(void)
{
    return error;
}
