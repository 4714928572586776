/*
 * The verbs that change something: add, remove, drain.
 *
 * `add` takes its network apart with the daemon's own table of options (ipc/config.h), so a value that the
 * command line of metawardd takes is taken here, and nothing else is. The namespace is opened here, with the
 * caller's rights; where it has a name below /run/netns the daemon is told the name, and follows what becomes
 * of it. Another one is handed over as a descriptor, which the daemon takes from root alone.
 */
#include "ctl/ctl.h"

#include "ipc/config.h"
#include "ipc/steps.h"
#include "ipc/text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#define NAMES       "/run/netns/"
#define OTHER_NAMES "/var/run/netns/"
#define OWN         "/proc/self/ns/net"

/* The options of add; all but netns are keys of ipc/config.h. */
static const char *const keys[] = {"network-id", "router-id",  "identity",         "listen",
                                   "log-tag",    "rate-limit", "rate-limit-shadow"};
enum { KEY_COUNT = sizeof(keys) / sizeof(keys[0]), OPTION_NETNS = 256, OPTION_KEY };

static bool take_options(struct ctl *ctl, int argc, char **argv, struct config *config, const char **netns)
{
    struct option options[KEY_COUNT + 4] = {CTL_COMMON, {"netns", required_argument, NULL, OPTION_NETNS}};
    char error[CONFIG_ERROR_SIZE];
    int option;
    for (int i = 0; i < KEY_COUNT; i++) {
        bool flag = strcmp(keys[i], "rate-limit-shadow") == 0;
        options[3 + i] =
            (struct option){keys[i], flag ? no_argument : required_argument, NULL, OPTION_KEY + i};
    }
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (ctl_common(ctl, option))
            continue;
        if (option == OPTION_NETNS) {
            *netns = optarg;
        } else if (option < OPTION_KEY || option >= OPTION_KEY + KEY_COUNT) {
            return false;
        } else if (!config_set(config, keys[option - OPTION_KEY], optarg, error)) {
            (void)ctl_usage("%s", error);
            return false;
        }
    }
    if (optind == argc)
        return true;
    (void)ctl_usage("add: '%.60s' belongs to nothing", argv[optind]);
    return false;
}

/* @return a descriptor; -1 with errno set, ENOENT where the name is good but nothing is there yet */
static int open_namespace(const char *netns, struct network_spec *spec)
{
    char path[CONFIG_PATH_SIZE + sizeof(NAMES)];
    const char *name = netns;
    if (strncmp(netns, NAMES, strlen(NAMES)) == 0)
        name = netns + strlen(NAMES);
    else if (strncmp(netns, OTHER_NAMES, strlen(OTHER_NAMES)) == 0)
        name = netns + strlen(OTHER_NAMES);
    bool named = text_is_name(name, CONFIG_PATH_SIZE - 1);
    if (named)
        (void)text_store(spec->netns, sizeof(spec->netns), name);
    (void)snprintf(path, sizeof(path), "%s%s", named ? NAMES : "", named ? name : netns);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static int report_done(const struct ctl *ctl, const char *what, const char *uuid)
{
    if (ctl->json)
        printf("{\"%s\": \"%s\"}\n", what, uuid);
    return CTL_OK;
}

int verb_add(struct ctl *ctl, int argc, char **argv)
{
    struct config config;
    struct control_request request;
    struct network_spec *spec = &request.body.spec;
    char error[CONFIG_ERROR_SIZE];
    const char *netns = OWN;
    config_default(&config);
    if (!take_options(ctl, argc, argv, &config, &netns))
        return CTL_USAGE;
    if (!config_finish(&config, error))
        return ctl_usage("%s", error);
    if (config.listener_count > SPEC_LISTENERS_MAX)
        return ctl_usage("listen: at most %d addresses", SPEC_LISTENERS_MAX);
    control_request_begin(&request, CONTROL_ADD);
    spec->network = config.network;
    spec->listener_count = config.listener_count;
    memcpy(spec->listeners, config.listeners, config.listener_count * sizeof(config.listeners[0]));
    int fd = open_namespace(netns, spec);
    bool named = spec->netns[0] != '\0';
    if (!named && geteuid() != 0) {
        (void)fprintf(stderr, "metawardctl: only root may hand over a namespace: name one below " NAMES "\n");
        return CTL_REFUSED;
    }
    if (fd < 0 && (errno != ENOENT || !named)) {
        (void)fprintf(stderr, "metawardctl: cannot open the network namespace %s: %s\n", netns,
                      errno_name(errno));
        return CTL_REFUSED;
    }
    int status = ctl_ask(ctl, &request, named ? -1 : fd, NULL, NULL);
    if (fd >= 0)
        close(fd);
    return status == CTL_OK ? report_done(ctl, "added", spec->network.uuid) : status;
}

int verb_remove(struct ctl *ctl, int argc, char **argv)
{
    struct control_request request;
    int word = ctl_words(ctl, argc, argv, 1, 1);
    control_request_begin(&request, CONTROL_REMOVE);
    if (word < 0 || ctl_uuid(argv[word], request.body.uuid) != CTL_OK)
        return CTL_USAGE;
    int status = ctl_ask(ctl, &request, -1, NULL, NULL);
    return status == CTL_OK ? report_done(ctl, "removed", request.body.uuid) : status;
}

int verb_drain(struct ctl *ctl, int argc, char **argv)
{
    static const struct option options[] = {CTL_COMMON, {"all", no_argument, NULL, 'a'}, {0}};
    struct control_request request;
    bool all = false;
    int option;
    control_request_begin(&request, CONTROL_DRAIN);
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'a')
            all = true;
        else if (!ctl_common(ctl, option))
            return CTL_USAGE;
    }
    if (argc - optind != (all ? 0 : 1))
        return ctl_usage("drain: a UUID, or --all");
    if (!all && ctl_uuid(argv[optind], request.body.uuid) != CTL_OK)
        return CTL_USAGE;
    int status = ctl_ask(ctl, &request, -1, NULL, NULL);
    return status == CTL_OK ? report_done(ctl, "draining", all ? "all" : request.body.uuid) : status;
}
