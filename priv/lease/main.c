/*
 * The holder of a lease: what the drop-in becomes where the host daemon serves its network.
 *
 * It has the drop-in's name and arguments, by which agents find it, no capability, a filter of its own and
 * one task: to be there. It holds the connection to the daemon, and when that ends, asks again, with a pause,
 * for as long as it lives. When it is told to end it removes its pid file. Nothing here looks at a guest's or
 * an agent's byte.
 */
#include "ipc/clock.h"
#include "ipc/lease.h"
#include "ipc/signals.h"
#include "ipc/steps.h"
#include "policy/descriptors.h"
#include "policy/filter.h"
#include "policy/lockdown.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAUSE_FIRST_MS  10
#define PAUSE_MOST_MS   1000
#define PAUSE_DENIED_MS 5000 /* the daemon is there and says no */
#define DESCRIPTORS     16

static struct lease lease;
static int control = LEASE_CONTROL_FD;
static bool asked;       /* and not answered */
static int64_t retry_at; /* without a connection: when to try again */
static int64_t pause_ms;

static bool take_record(void)
{
    bool whole = read(LEASE_RECORD_FD, &lease, sizeof(lease)) == (ssize_t)sizeof(lease);
    return close(LEASE_RECORD_FD) == 0 && whole;
}

static int confine(void)
{
    const struct policy_values values = {&lease_daemon, sizeof(lease_daemon), AF_UNIX};
    if (!signals_hold())
        return STEP_DESCRIPTORS;
    if (!confine_limit(RLIMIT_NPROC, 0) || !confine_limit(RLIMIT_CORE, 0) ||
        !confine_limit(RLIMIT_NOFILE, DESCRIPTORS))
        return STEP_LIMITS;
    if (!confine_not_dumpable() || !confine_no_new_privs())
        return STEP_NO_NEW_PRIVS;
    return filter_load(POLICY_LEASE, &values) ? 0 : STEP_FILTER;
}

static void lose(int64_t pause)
{
    close(control);
    control = -1;
    asked = false;
    retry_at = clock_now() + pause;
}

static void ask_again(void)
{
    control = lease_connect();
    pause_ms = pause_ms == 0 ? PAUSE_FIRST_MS : pause_ms * 2;
    pause_ms = pause_ms < PAUSE_MOST_MS ? pause_ms : PAUSE_MOST_MS;
    if (control < 0) {
        retry_at = clock_now() + pause_ms;
        return;
    }
    asked = lease_ask(control, &lease.spec, LEASE_NETNS_FD) == CHANNEL_OK;
    if (!asked)
        lose(pause_ms);
}

static void hear(void)
{
    struct control_reply reply;
    enum channel_result result = control_reply_receive(control, &reply);
    if (result == CHANNEL_AGAIN)
        return;
    if (result != CHANNEL_OK || !asked) {
        /* No pause where the lease was granted: that daemon has ended, and its successor may be there. */
        lose(pause_ms);
    } else if (reply.type != CONTROL_OK) {
        lose(reply.code == CONTROL_LATER ? PAUSE_FIRST_MS : PAUSE_DENIED_MS);
    } else {
        asked = false;
        pause_ms = 0;
    }
}

static void turn(void)
{
    struct pollfd polled = {.fd = control, .events = POLLIN};
    int64_t left = retry_at - clock_now();
    left = left > 0 ? left : 0;
    struct timespec pause = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
    sigset_t none;
    sigemptyset(&none);
    int ready = ppoll(&polled, 1, control < 0 ? &pause : NULL, &none);
    if (control < 0 && ready == 0)
        ask_again();
    else if (ready > 0)
        hear();
}

static int hold(void)
{
    const unsigned char well = 0;
    int step = confine();
    if (step != 0)
        return step;
    if (lease.starter_waits) {
        if (send(LEASE_STARTER_FD, &well, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
            return STEP_DAEMONIZE;
        close(LEASE_STARTER_FD);
    }
    while (signals_wish() == WISH_NONE)
        turn();
    /* The user that owns the pid file's directory, which is our working directory, can remove it. */
    if (lease.pidfile.name[0] != '\0')
        setfsuid(lease.pidfile.owner);
    return pidfile_remove(&lease.pidfile) == 0 ? 0 : STEP_CLEANUP;
}

int main(void)
{
    return take_record() && hold() == 0 ? 0 : 1;
}
