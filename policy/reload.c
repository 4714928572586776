/*
 * One reload after another. See reload.h.
 *
 * There is one reader at a time: a wish that comes while one runs is kept until its end has been told, so the
 * last state of the file is always read. That a reader ended is no news; what it said before is.
 */
#include "policy/reload.h"

#include "ipc/answer.h"
#include "ipc/clock.h"
#include "ipc/instances.h"
#include "ipc/report.h"
#include "ipc/signals.h"
#include "ipc/steps.h"
#include "ipc/text.h"
#include "policy/trusted.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READER_MOST_MS 5000
#define CHANGES_SIZE   64

static struct {
    char path[CONFIG_PATH_SIZE]; /* empty: there is nothing to read again */
    struct config config;        /* as it was read at the start */
    struct reading reading;
    int channel;  /* to the reader, where `due` is not 0 */
    int64_t due;  /* when it must have said all */
    bool running; /* its end has not been told yet */
    bool wished;  /* to be read (again) */
} self;

void reload_allow(const char *path, const struct config *config)
{
    text_store(self.path, sizeof(self.path), path);
    self.config = *config;
}

bool reload_allowed(void)
{
    return self.path[0] != '\0';
}

static void failed(const char *what, int error)
{
    report_event("event=reload-failed file=%s what=\"%s\" error=%s", self.path, what, errno_name(error));
}

static bool send_spawn(struct channel *nursery, int file, int channel)
{
    struct message message;

    message_begin(&message, MSG_SPAWN);
    message.slot = RELOAD_SLOT;
    message.role = SPAWN_READER;
    return channel_send(nursery, &message, (const int[]){file, channel}) == CHANNEL_OK;
}

/* The reader waits for room in its end of the channel; ours is only asked with MSG_DONTWAIT. */
static void start(struct channel *nursery)
{
    int ends[2];
    const int file = trusted_regular(self.path, READING_FILE_MAX, NULL);

    self.wished = false;
    if (file < 0) {
        failed("open", errno);
        return;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        failed("channel", errno);
    } else if (!send_spawn(nursery, file, ends[1])) {
        failed("nursery", errno);
        close(ends[0]);
        close(ends[1]);
    } else {
        close(ends[1]);
        answer_begin();
        self.channel = ends[0];
        self.due = clock_now() + READER_MOST_MS;
        self.running = true;
    }
    close(file);
}

/* Nothing more is expected of the reader. Its end comes back as MSG_EXITED. */
static void stop(struct channel *nursery)
{
    struct message message;

    close(self.channel);
    self.due = 0;
    message_begin(&message, MSG_KILL);
    message.slot = RELOAD_SLOT;
    if (channel_send(nursery, &message, NULL) != CHANNEL_OK)
        failed("nursery", errno);
}

#define DIFFERS(member) (memcmp(&old->member, &new->member, sizeof(old->member)) != 0)

/* What of a configuration differs that can't be changed while running; empty: nothing. */
static void list_changes(const struct config *old, const struct config *new, char out[CHANGES_SIZE])
{
    const struct {
        bool differs;
        const char *name;
    } parts[] = {{DIFFERS(listener_count) || DIFFERS(listeners), ",bind"},
                 {DIFFERS(agent_host) || DIFFERS(agent_port), ",server"},
                 {DIFFERS(user) || DIFFERS(group), ",user"},
                 {DIFFERS(worker) || DIFFERS(network), ",settings"},
                 {DIFFERS(daemonize) || DIFFERS(host_proxy), ",mode"}};
    size_t at = 0;

    out[0] = out[1] = '\0';
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].differs)
            at = text_append(out, CHANGES_SIZE, at, parts[i].name);
    }
}

/* The reader has said all. @return whether there is a new table */
static bool finish(void)
{
    const struct reading *reading = &self.reading;
    char changes[CHANGES_SIZE];

    if (!reading->ok) {
        report_event("event=reload-failed file=%s line=%u word=%s what=\"%s\"", self.path,
                     (unsigned)reading->line, reading->word[0] != '\0' ? reading->word : "-",
                     reading->reason);
        return false;
    }
    if (!reading->config.host_proxy) {
        failed("the file is no host's proxy any more", 0);
        return false;
    }
    instances_commit();
    report_event("event=reloaded file=%s instances=%u", self.path, (unsigned)instances_count());
    list_changes(&self.config, &reading->config, changes);
    if (changes[0] != '\0')
        report_event("event=restart-needed file=%s changed=%s", self.path, changes + 1);
    return true;
}

static bool receive(struct channel *nursery)
{
    bool renewed = false;

    switch (answer_take(self.channel, &self.reading)) {
    case ANSWER_MORE:
        if (clock_now() < self.due)
            return false;
        failed("reader", ETIMEDOUT);
        break;
    case ANSWER_WHOLE:
        renewed = finish();
        break;
    case ANSWER_BAD:
        failed("reader", errno);
        break;
    }
    stop(nursery);
    return renewed;
}

bool reload_turn(struct channel *nursery)
{
    if (!reload_allowed())
        return false;
    self.wished = signals_reload() || self.wished;
    if (self.wished && !self.running)
        start(nursery);
    return self.due != 0 && receive(nursery);
}

void reload_ended(int error)
{
    self.running = false;
    if (error == 0)
        return;
    failed("reader", error);
    if (self.due != 0) /* or its end of the channel was seen before, and ours closed */
        close(self.channel);
    self.due = 0;
}

int reload_waits_for(void)
{
    return self.due != 0 ? self.channel : -1;
}

int64_t reload_due(void)
{
    return self.due;
}
