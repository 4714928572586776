/*
 * See namespaces.h.
 */
#include "priv/host/namespaces.h"

#include "ipc/clock.h"
#include "ipc/listen.h"
#include "ipc/report.h"
#include "ipc/steps.h"
#include "policy/netns.h"
#include "priv/host/host.h"
#include "priv/host/upgrade.h"
#include "priv/host/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES          "/run/netns/"
#define PATH_SIZE      (CONFIG_PATH_SIZE + sizeof(NAMES))
#define PAUSE_FIRST_MS 5 /* a name is there a moment before its namespace is mounted on it */
#define PAUSE_MOST_MS  5000
#define LOOK_MS        400 /* at a name that nobody tells of; and from a change of mounts to the look at all */

static void on_names(struct watch *watch, uint32_t events);
static void on_mounts(struct watch *watch, uint32_t events);
static void sweep(struct timer *timer);

static int home = -1, names = -1, names_watched = -1, mounts = -1;
static struct watch names_watch = {on_names}, mounts_watch = {on_mounts};
static struct timer sweep_timer = {.run = sweep};

static void path_of(const char *name, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s%s", name[0] == '/' ? "" : NAMES, name);
}

static void watch_names(void)
{
    if (names_watched < 0)
        names_watched = inotify_add_watch(names, NAMES, NETNS_NAMES_WATCH);
}

int namespaces_begin(void)
{
    home = netns_open("/proc/self/ns/net");
    if (home < 0)
        return report_failed(STEP_NETNS_OPEN, errno, "/proc/self/ns/net");
    names = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    if (names < 0 || !loop_watch(&names_watch, names, EPOLLIN))
        return report_failed(STEP_NETNS_OPEN, errno, NAMES);
    if (mounts < 0 || !loop_watch(&mounts_watch, mounts, EPOLLPRI))
        return report_failed(STEP_NETNS_OPEN, errno, "/proc/self/mountinfo");
    watch_names();
    return 0;
}

bool namespaces_same(const struct host_network *network, int netns, const char *name)
{
    char path[PATH_SIZE];
    struct stat now;
    path_of(name, path);
    return (netns >= 0 ? fstat(netns, &now) : stat(path, &now)) == 0 && now.st_dev == network->device &&
           now.st_ino == network->inode;
}

bool namespaces_named(const char *name, int netns)
{
    char path[PATH_SIZE];
    path_of(name, path);
    return netns_same(netns, path);
}

/* Make the listeners that are not there, as far as that goes. @return 0, or errno of the first that failed */
static int bind_all(void *context)
{
    struct host_network *network = context;
    int error = 0;
    for (unsigned i = 0; i < network->spec.listener_count; i++) {
        struct host_listener *listener = &network->listeners[i];
        if (listener->fd >= 0)
            continue;
        int fd = networks_number(network, i) ? listen_socket(&network->spec.listeners[i]) : -1;
        if (fd >= 0 && listen_at(fd, &network->spec.listeners[i])) {
            listener->fd = fd;
            continue;
        }
        if (error == 0)
            error = listener->has_slot ? errno : ENOSPC;
        if (fd >= 0)
            close(fd);
    }
    return error;
}

static void wait_for(struct host_network *network, const char *why, int error)
{
    networks_state(network, NETWORK_WAITING, why, error);
    network->pause = network->pause == 0 ? PAUSE_FIRST_MS : network->pause * 2;
    if (network->pause > PAUSE_MOST_MS)
        network->pause = PAUSE_MOST_MS;
    loop_timer(&network->timer, clock_now() + network->pause);
}

/* All its listeners are there, made now or left by a change of something else. */
static void serve(struct host_network *network)
{
    bool watched = network->netns < 0 && network->spec.netns[0] == '/';
    network->pause = 0;
    networks_state(network, NETWORK_SERVING, NULL, 0);
    loop_timer(&network->timer, watched ? clock_now() + LOOK_MS : 0);
}

static void take_up(struct host_network *network, int netns)
{
    struct stat there;
    int error;
    if (upgrade_hands_over()) { /* what is bound now, the successor could not bind */
        wait_for(network, "the daemon is being upgraded", 0);
        return;
    }
    if (fstat(netns, &there) != 0) {
        wait_for(network, "its namespace can't be looked at", errno);
        return;
    }
    if (!netns_inside(home, netns, bind_all, network, &error)) {
        if (error >= 0)
            host_end(report_failed(STEP_NETNS_ENTER, errno, "back"));
        wait_for(network, "its namespace can't be entered", errno);
        return;
    }
    network->device = there.st_dev;
    network->inode = there.st_ino;
    workers_tell(networks_place_of(network));
    if (error != 0) {
        wait_for(network, "an address to listen on is not there or in use", error);
        return;
    }
    serve(network);
}

static bool complete(const struct host_network *network)
{
    if (network->inode == 0)
        return false;
    for (unsigned i = 0; i < network->spec.listener_count; i++) {
        if (network->listeners[i].fd < 0)
            return false;
    }
    return true;
}

static void on_time(struct timer *timer)
{
    namespaces_look((struct host_network *)(void *)((char *)timer - offsetof(struct host_network, timer)));
}

void namespaces_look(struct host_network *network)
{
    char path[PATH_SIZE];
    network->timer.run = on_time;
    if (network->netns < 0 && network->inode != 0 && !namespaces_same(network, -1, network->spec.netns)) {
        networks_close(network);
        network->pause = 0;
    }
    if (network->state == NETWORK_DRAINING) /* its connections kept the namespace alive just as well */
        return;
    if (complete(network)) {
        serve(network);
        return;
    }
    if (network->netns >= 0) {
        take_up(network, network->netns);
        return;
    }
    path_of(network->spec.netns, path);
    int netns = netns_open(path);
    if (netns < 0) {
        wait_for(network, "its namespace is not there", errno == EINVAL || errno == ENOTTY ? 0 : errno);
        return;
    }
    take_up(network, netns);
    close(netns);
}

/* A name came or went, or both. */
static void look_at_name(const char *name)
{
    for (struct host_network *network = networks_in(name); network != NULL;) {
        struct host_network *next = network->by_name != 0 ? networks_place(network->by_name - 1U) : NULL;
        network->pause = 0;
        if (strcmp(network->spec.netns, name) == 0)
            namespaces_look(network);
        network = next;
    }
}

static void sweep_soon(void)
{
    if (sweep_timer.place == 0)
        loop_timer(&sweep_timer, clock_now() + LOOK_MS);
}

static void on_names(struct watch *watch, uint32_t ready)
{
    char events[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)]
        __attribute__((aligned(__alignof__(struct inotify_event))));
    (void)watch, (void)ready;
    ssize_t length = read(names, events, sizeof(events));
    for (ssize_t at = 0; at < length;) {
        const struct inotify_event *event = (const struct inotify_event *)(const void *)(events + at);
        if ((event->mask & IN_IGNORED) != 0) /* the directory is gone: watched again when there is one */
            names_watched = -1;
        if (event->len > 0)
            look_at_name(event->name);
        else
            sweep_soon();
        at += (ssize_t)(sizeof(*event) + event->len);
    }
}

static void on_mounts(struct watch *watch, uint32_t events)
{
    (void)watch, (void)events;
    sweep_soon();
}

static void sweep(struct timer *timer)
{
    (void)timer;
    watch_names();
    for (uint32_t i = networks_next(0); i != NETWORKS_NONE; i = networks_next(i + 1)) {
        struct host_network *network = networks_place(i);
        if (network->state != NETWORK_FAILED && network->netns < 0)
            namespaces_look(network);
    }
}
