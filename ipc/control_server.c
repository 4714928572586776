/*
 * Clients of the control socket. See control_server.h for the theory.
 */
#include "ipc/control_server.h"

#include "ipc/clock.h"
#include "ipc/loop.h"
#include "ipc/report.h"
#include "ipc/text.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAUSE_MS 100 /* where the system has nothing left to accept with */
#define AT_ONCE  64  /* records and requests, before others have their turn */

struct client {
    struct watch watch;
    struct timer timer; /* ends a pause */
    int fd;             /* -1: the place is free */
    struct control_who who;
    int64_t heard_at;
    int64_t second; /* in which `asked` was counted */
    uint32_t asked[CONTROL_REQUEST_COUNT];
    uint32_t watched; /* EPOLLIN, EPOLLOUT or neither */
    bool answering;
    struct control_request request; /* that is being answered */
    uint32_t cursor;
    enum control_code code;
    const char *why;
};

static void on_client(struct watch *watch, uint32_t events);
static void on_newcomer(struct watch *watch, uint32_t events);
static void on_pause_over(struct timer *timer);
static void on_accept_again(struct timer *timer);

static struct {
    const struct control_owner *owner;
    gid_t group;
    int fd;
    bool held; /* newcomers wait */
    struct watch watch;
    struct timer accept_again;
    struct client clients[CONTROL_CLIENTS_MAX];
    int64_t told_at; /* the second in which an event was reported */
    unsigned untold; /* events since then that were not */
} self = {.watch = {on_newcomer}, .accept_again = {.run = on_accept_again}};

/* A hostile peer must not fill the log: one line a second. */
static void report_peer(const struct control_who *who, const char *why)
{
    int64_t second = clock_now() / 1000;
    if (second == self.told_at) {
        self.untold++;
        return;
    }
    report_event("event=control-refused pid=%d user=%u why=\"%s\" untold=%u", (int)who->pid,
                 (unsigned)who->uid, why, self.untold);
    self.told_at = second;
    self.untold = 0;
}

/* Was it granted a lease that it has not been told of? */
static bool granted(const struct client *client)
{
    return client->answering && client->request.type == CONTROL_LEASE && client->code == CONTROL_FINE;
}

/* Its place is free. Its connection ends, or is a lease from now on: also where it has gone before it was
 * told, for what was granted then is given back as the lease of anybody who goes. */
static void drop(struct client *client)
{
    loop_timer(&client->timer, 0);
    loop_forget(client->fd);
    if (granted(client))
        self.owner->keep(&client->request, client->fd);
    else
        close(client->fd);
    client->fd = -1;
}

static bool watch_for(struct client *client, uint32_t events)
{
    if (events == client->watched)
        return true;
    client->watched = events;
    if (loop_watch(&client->watch, client->fd, events))
        return true;
    report_peer(&client->who, "it can't be watched");
    drop(client);
    return false;
}

/* The next record of the answer, or its end. */
static void next_record(const struct client *client, uint32_t *cursor, struct control_reply *reply)
{
    control_reply_begin(reply, CONTROL_REPLY_NONE);
    if (client->code == CONTROL_FINE && self.owner->record(&client->request, cursor, reply))
        return;
    control_reply_begin(reply, client->code == CONTROL_FINE ? CONTROL_OK : CONTROL_ERROR);
    reply->code = (uint16_t)client->code;
    if (client->code != CONTROL_FINE)
        text_append(reply->body.reason, sizeof(reply->body.reason), 0, client->why);
}

/* @return whether the whole answer is out; the client may be gone otherwise */
static bool answer(struct client *client)
{
    struct control_reply reply;
    for (unsigned i = 0; i < AT_ONCE; i++) {
        uint32_t cursor = client->cursor;
        next_record(client, &cursor, &reply);
        enum channel_result result = control_reply_send(client->fd, &reply);
        if (result == CHANNEL_AGAIN)
            break;
        if (result != CHANNEL_OK) {
            drop(client);
            return false;
        }
        client->cursor = cursor;
        if (reply.type == CONTROL_OK || reply.type == CONTROL_ERROR) {
            if (granted(client)) {
                drop(client);
                return false;
            }
            client->answering = false;
            return watch_for(client, EPOLLIN);
        }
    }
    watch_for(client, EPOLLOUT);
    return false;
}

/* What changes something is told in the log, with who asked for it. */
static void report_change(const struct client *client)
{
    static const char *const names[CONTROL_REQUEST_COUNT] = {
        [CONTROL_ADD] = "add",     [CONTROL_LEASE] = "lease",   [CONTROL_REMOVE] = "remove",
        [CONTROL_DRAIN] = "drain", [CONTROL_RELOAD] = "reload", [CONTROL_UPGRADE] = "upgrade"};
    const struct control_request *request = &client->request;
    bool whole = request->type == CONTROL_ADD || request->type == CONTROL_LEASE;
    const char *uuid = whole ? request->body.spec.network.uuid : request->body.uuid;
    if (names[request->type] == NULL)
        return;
    report_event("event=control-request request=%s network=%s pid=%d user=%u result=\"%s\"",
                 names[request->type], uuid[0] != '\0' ? uuid : "-", (int)client->who.pid,
                 (unsigned)client->who.uid, client->code == CONTROL_FINE ? "ok" : client->why);
}

static void meet(struct client *client, int netns)
{
    const struct control_rule *rule = control_rule(client->request.type);
    client->answering = true;
    client->cursor = 0;
    client->code = CONTROL_FINE;
    client->why = "";
    if (!(rule->peers & client->who.peer)) {
        client->code = CONTROL_DENIED;
        client->why = "that is for root";
    } else if (!(rule->phases & self.owner->phase())) {
        client->code = self.owner->phase() == CONTROL_UPGRADING ? CONTROL_LATER : CONTROL_NOT_NOW;
        client->why = self.owner->phase() == CONTROL_UPGRADING ? "the daemon is being upgraded"
                                                               : "the daemon is going down";
    }
    if (client->code == CONTROL_FINE)
        client->code = self.owner->meet(&client->request, netns, client->who.peer, &client->why);
    else if (netns >= 0)
        close(netns);
    report_change(client);
}

/* Count the request that was met. @return false where no other one of its type is read in this second */
static bool within_budget(struct client *client, int64_t now)
{
    uint16_t type = client->request.type;
    if (client->second != now / 1000)
        memset(client->asked, 0, sizeof(client->asked));
    client->second = now / 1000;
    return ++client->asked[type] < control_rule(type)->per_second;
}

static void on_pause_over(struct timer *timer)
{
    struct client *client = (struct client *)(void *)((char *)timer - offsetof(struct client, timer));
    if (client->fd >= 0)
        watch_for(client, client->answering ? EPOLLOUT : EPOLLIN);
}

static void on_client(struct watch *watch, uint32_t events)
{
    struct client *client = (struct client *)(void *)watch;
    int64_t now = clock_now();
    int netns;
    if (client->fd < 0)
        return;
    if ((events & (EPOLLIN | EPOLLOUT)) == 0) { /* it hung up while nothing was wanted of it */
        drop(client);
        return;
    }
    if (client->answering && !answer(client))
        return;
    for (unsigned i = 0; i < AT_ONCE; i++) {
        netns = -1;
        enum channel_result result = client->who.peer == CONTROL_BY_ROOT
                                         ? control_receive(client->fd, &client->request, &netns)
                                         : control_receive_alone(client->fd, &client->request);
        if (result == CHANNEL_AGAIN)
            return;
        if (result != CHANNEL_OK) {
            if (result == CHANNEL_BAD)
                report_peer(&client->who, "a request that is not valid");
            drop(client);
            return;
        }
        client->heard_at = now;
        meet(client, netns);
        bool within = within_budget(client, now);
        bool answered = answer(client);
        if (!within && client->fd >= 0 && watch_for(client, 0))
            loop_timer(&client->timer, (now / 1000 + 1) * 1000);
        if (!within || !answered)
            return;
    }
}

/* A place for a newcomer: a free one, or that of the client that has been silent for longest, root's last. */
static struct client *make_room(void)
{
    struct client *chosen = &self.clients[0];
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = &self.clients[i];
        if (client->fd < 0)
            return client;
        bool root = client->who.peer == CONTROL_BY_ROOT, chosen_root = chosen->who.peer == CONTROL_BY_ROOT;
        if (root != chosen_root ? chosen_root : client->heard_at < chosen->heard_at)
            chosen = client;
    }
    drop(chosen);
    return chosen;
}

/* It is heard at once: where many come together, one that has asked is answered before it could have to give
 * way. */
static void admit(int fd)
{
    struct control_who who = {0};
    if (!control_judge(fd, self.group, &who) || who.peer == 0) {
        report_peer(&who, "neither root nor a member of the control group");
        close(fd);
        return;
    }
    struct client *client = make_room();
    *client = (struct client){
        .watch = {on_client}, .timer = {.run = on_pause_over}, .fd = fd, .who = who, .heard_at = clock_now()};
    if (watch_for(client, EPOLLIN))
        on_client(&client->watch, EPOLLIN);
}

static void on_newcomer(struct watch *watch, uint32_t events)
{
    (void)watch, (void)events;
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX;
         i++) { /* as many as have a place: the others wait to be accepted */
        int fd = accept4(self.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            admit(fd);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            if (errno != EAGAIN && loop_watch(&self.watch, self.fd, 0))
                loop_timer(&self.accept_again, clock_now() + PAUSE_MS);
            return;
        }
    }
}

static void on_accept_again(struct timer *timer)
{
    if (!loop_watch(&self.watch, self.fd, self.held ? 0 : EPOLLIN))
        loop_timer(timer, clock_now() + PAUSE_MS);
}

void control_hold(bool held)
{
    self.held = held;
    on_accept_again(&self.accept_again);
}

int control_listener(void)
{
    return self.fd;
}

void control_leave(void)
{
    loop_timer(&self.accept_again, 0);
    loop_forget(self.fd); /* the successor has the same open file, so closing alone would not end it */
    close(self.fd);
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (self.clients[i].fd >= 0)
            drop(&self.clients[i]);
    }
}

bool control_serve(int fd, gid_t group, const struct control_owner *owner)
{
    self.owner = owner;
    self.group = group;
    self.fd = fd;
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
        self.clients[i].fd = -1;
    return loop_watch(&self.watch, fd, EPOLLIN);
}
