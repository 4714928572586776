/*
 * The command line of metawardctl. See ctl.h.
 */
#include "ctl/ctl.h"

#include "ipc/text.h"

#include <getopt.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

const struct verb verbs[] = {
    {"add", "--network-id UUID|--router-id UUID [--netns NAME|PATH] [--listen ADDR:PORT[%IF]]... [...]",
     "Serve a network; its namespace is that of the caller, or the one named.", verb_add},
    {"remove", "UUID", "Close a network's listeners and connections, and forget it.", verb_remove},
    {"list", "", "All networks: state, origin, worker, namespace, and what is wrong.", verb_list},
    {"show", "UUID", "All that is known of one network, and what was counted.", verb_show},
    {"stats", "[UUID]", "What was counted: of all networks, or of one.", verb_stats},
    {"top", "[--once] [--interval SECONDS] [--rows N]", "Watch the busiest networks; q ends it.", verb_top},
    {"metrics", "[--listen ADDR:PORT]", "The same in OpenMetrics text; or serve that for Prometheus.",
     verb_metrics},
    {"health", "", "Is all as it should be? Status 0, or 1 and the reasons.", verb_health},
    {"drain", "UUID|--all", "Take no newcomers, finish what is in flight; with --all, the daemon ends then.",
     verb_drain},
    {"reload", "", "Read all files again and apply what differs; returns when that is done.", verb_reload},
    {"upgrade", "", "Have the installed metawardd take over; returns when it serves.", verb_upgrade},
    {0},
};

static void print_help(void)
{
    puts("usage: metawardctl [--socket PATH] [--json] VERB ...\n");
    for (const struct verb *verb = verbs; verb->name != NULL; verb++)
        printf("  %s%s%s\n      %s\n", verb->name, verb->usage[0] != '\0' ? " " : "", verb->usage,
               verb->help);
    puts("\n  --socket PATH   the daemon's control socket (" CONTROL_DEFAULT_PATH ")\n"
         "  --json          answer in JSON: add, remove, list, show, stats, health, drain, reload,\n"
         "                  upgrade\n"
         "\nstatus: 0 done, 1 refused or not healthy, 2 usage, 3 no daemon, 4 no such network, 5 not "
         "understood\n"
         "see metawardctl(1)");
}

int ctl_usage(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("metawardctl: ", stderr);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is two lines above */
    (void)vfprintf(stderr, format, arguments);
    (void)fputs("; see metawardctl --help\n", stderr);
    va_end(arguments);
    return CTL_USAGE;
}

bool ctl_common(struct ctl *ctl, int option)
{
    if (option == 's')
        ctl->socket = optarg;
    else if (option == 'j')
        ctl->json = true;
    else
        return false;
    return true;
}

int ctl_words(struct ctl *ctl, int argc, char **argv, int least, int most)
{
    static const struct option options[] = {CTL_COMMON, {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (!ctl_common(ctl, option))
            return -1; /* getopt_long() has said why */
    }
    if (argc - optind >= least && argc - optind <= most)
        return optind;
    (void)ctl_usage("%s", argc - optind < least ? "a word is missing" : "too many words");
    return -1;
}

int ctl_uuid(const char *word, char out[NETWORK_UUID_SIZE])
{
    if (!text_is_uuid(word, strlen(word)))
        return ctl_usage("'%.60s' is no UUID", word);
    (void)text_store(out, NETWORK_UUID_SIZE, word);
    return CTL_OK;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (strcmp(argv[0], verb->name) == 0) {
            static char name[64]; /* what getopt_long() begins its complaints with */
            (void)snprintf(name, sizeof(name), "metawardctl %s", verb->name);
            argv[0] = name;
            optind = 0; /* glibc: begin anew, with another argv */
            return verb->run(ctl, argc, argv);
        }
    }
    return ctl_usage("no verb '%.60s'", argv[0]);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        CTL_COMMON, {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'v'}, {0}};
    struct ctl ctl = {.socket = CONTROL_DEFAULT_PATH, .fd = -1};
    int option;
    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (option == 'h')
            print_help();
        if (option == 'v')
            puts("metawardctl " METAWARD_VERSION);
        if (option == 'h' || option == 'v')
            return fflush(stdout) == 0 ? CTL_OK : CTL_REFUSED;
        if (!ctl_common(&ctl, option))
            return CTL_USAGE;
    }
    if (optind == argc)
        return ctl_usage("what?");
    int status = run(&ctl, argc - optind, argv + optind);
    if (ctl.fd >= 0)
        close(ctl.fd);
    if (fflush(stdout) != 0 && status == CTL_OK)
        status = CTL_REFUSED;
    return status;
}
