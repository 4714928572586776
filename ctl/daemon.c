/*
 * The verbs for the daemon as a whole that take a while: reload, upgrade.
 *
 * Both are begun by a request and then watched by CONTROL_HEALTH until they are over. After an upgrade it is
 * another process that answers, at the same socket; the old one has closed our connection then.
 */
#include "ctl/ctl.h"

#include <string.h>
#include <time.h>

#define LOOK_MS    20 /* the daemon answers 50 times a second */
#define MOST_LOOKS 18000
#define LOST_MOST  100 /* looks in a row without an answer */

static void take(const struct control_reply *reply, void *context)
{
    if (reply->type == CONTROL_DAEMON)
        memcpy(context, &reply->body.daemon, sizeof(reply->body.daemon));
}

static int look(struct ctl *ctl, struct control_daemon *daemon, char *reason)
{
    struct control_request request;
    control_request_begin(&request, CONTROL_HEALTH);
    return ctl_ask_quietly(ctl, &request, -1, take, daemon, reason);
}

static int fail(int status, const char *reason)
{
    (void)fprintf(stderr, "metawardctl: %s\n", reason);
    return status;
}

/* Begin it, and look at the daemon until it is over. */
static int watch(struct ctl *ctl, enum control_request_type type, struct control_daemon *before,
                 bool (*over)(const struct control_daemon *before, const struct control_daemon *now),
                 struct control_daemon *now)
{
    struct control_request request;
    char reason[CONTROL_REASON_SIZE] = "";
    int lost = 0;
    int status = look(ctl, before, reason);
    if (status != CTL_OK)
        return fail(status, reason);
    control_request_begin(&request, type);
    status = ctl_ask(ctl, &request, -1, NULL, NULL);
    for (int i = 0; status == CTL_OK && i < MOST_LOOKS && lost < LOST_MOST; i++) {
        int answered = look(ctl, now, reason);
        if (answered == CTL_OK && over(before, now))
            return CTL_OK;
        lost = answered == CTL_OK ? 0 : lost + 1;
        (void)nanosleep(&(const struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
    if (status != CTL_OK)
        return status;
    return lost != 0 ? fail(CTL_UNREACHABLE, reason) : fail(CTL_REFUSED, "it takes too long: see health");
}

/* One that was going on when we came does not count: it may have read our file before it was written. */
static bool reloaded(const struct control_daemon *before, const struct control_daemon *now)
{
    return !now->reloading && now->loads - before->loads > before->reloading;
}

int verb_reload(struct ctl *ctl, int argc, char **argv)
{
    struct control_daemon before = {0}, now = {0};
    if (ctl_words(ctl, argc, argv, 0, 0) < 0)
        return CTL_USAGE;
    int status = watch(ctl, CONTROL_RELOAD, &before, reloaded, &now);
    if (status != CTL_OK)
        return status;
    if (now.error[0] != '\0')
        status = fail(CTL_REFUSED, now.error);
    if (ctl->json)
        printf("{\"reloaded\": %s, \"loads\": %u, \"failed\": %u}\n", status == CTL_OK ? "true" : "false",
               (unsigned)now.loads, (unsigned)now.networks[NETWORK_FAILED]);
    else if (status == CTL_OK && now.networks[NETWORK_FAILED] != 0)
        printf("%u networks' files are not good: see list\n", (unsigned)now.networks[NETWORK_FAILED]);
    return status;
}

static bool upgraded(const struct control_daemon *before, const struct control_daemon *now)
{
    return now->pid != before->pid || !now->upgrading;
}

int verb_upgrade(struct ctl *ctl, int argc, char **argv)
{
    struct control_daemon before = {0}, now = {0};
    if (ctl_words(ctl, argc, argv, 0, 0) < 0)
        return CTL_USAGE;
    int status = watch(ctl, CONTROL_UPGRADE, &before, upgraded, &now);
    if (status != CTL_OK)
        return status;
    bool done = now.pid != before.pid;
    if (!done)
        status = fail(CTL_REFUSED, now.upgrade_error);
    if (ctl->json)
        printf("{\"upgraded\": %s, \"pid\": %u, \"version\": \"%s\"}\n", done ? "true" : "false",
               (unsigned)now.pid, now.version);
    else if (done)
        printf("process %u, version %s\n", (unsigned)now.pid, now.version);
    return status;
}
