/*
 * The command line. See options.h.
 *
 * getopt_long() is given every name twice, with '-' and with '_'. It takes abbreviations, and there is no
 * switch against that, so the length of what was typed is compared with the length of the name that it found.
 */
#include "ipc/options.h"

#include "ipc/text.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define KEYS_MAX    64
#define FIRST_KEY   256 /* getopt's value of the first key; the others are smaller */
#define HELP_WIDTH  79
#define HELP_INDENT 6

enum {
    OPTION_HELP = 1,
    OPTION_VERSION,
    OPTION_POLICY,
    OPTION_CONFIG,
    OPTION_LAUNCHER,
    OPTION_CHECK,
    OPTION_TAKE_OVER
};

static struct option options[2 * KEYS_MAX + 9];

static void fill_options(void)
{
    static const struct option others[] = {{"help", no_argument, NULL, OPTION_HELP},
                                           {"version", no_argument, NULL, OPTION_VERSION},
                                           {"print-policy", optional_argument, NULL, OPTION_POLICY},
                                           {"print_policy", optional_argument, NULL, OPTION_POLICY},
                                           {"config", required_argument, NULL, OPTION_CONFIG},
                                           {"launcher", required_argument, NULL, OPTION_LAUNCHER},
                                           {"check", no_argument, NULL, OPTION_CHECK},
                                           {"take-over", no_argument, NULL, OPTION_TAKE_OVER}};
    static char names[2 * KEYS_MAX][CONFIG_KEY_SIZE];
    unsigned count = 0;

    for (unsigned i = 0; i < KEYS_MAX && config_keys[i].name != NULL; i++) {
        for (unsigned j = 0; j < 2; j++, count++) {
            config_key_name(&config_keys[i], "-_"[j], names[count]);
            options[count].name = names[count];
            options[count].has_arg = config_keys[i].kind == CONFIG_FLAG ? no_argument : required_argument;
            options[count].val = FIRST_KEY + (int)i;
        }
    }
    memcpy(&options[count], others, sizeof(others));
}

/* Print an option, and its help within HELP_WIDTH columns. */
static void print_option(const char *name, const char *argument, const char *help)
{
    int column = HELP_WIDTH;

    printf("  --%s %s", name, argument);
    while (*help != '\0') {
        int length = (int)strcspn(help, " ");
        if (column + 1 + length > HELP_WIDTH)
            column = printf("\n%*s%.*s", HELP_INDENT, "", length, help) - 1;
        else
            column += printf(" %.*s", length, help);
        help += length + (help[length] == ' ');
    }
    putchar('\n');
}

static void print_help(void)
{
    puts("Usage: metawardd --network-id UUID | --router-id UUID [OPTION]...\n"
         "       metawardd --config FILE --check\n\n"
         "Carries the metadata requests of a tenant's guests to the metadata agent,\n"
         "through a confined worker. Defaults stand in parentheses. A time is 30, 30s,\n"
         "500ms or 2m. In the names of options '_' means the same as '-'.\n");
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        char name[CONFIG_KEY_SIZE];
        config_key_name(key, '-', name);
        if (!key->hidden)
            print_option(name, key->argument != NULL ? key->argument : "", key->help);
    }
    print_option("config", "FILE", "Serve all networks of a host, as this file and those that it names say.");
    print_option("launcher", "SOCKET",
                 "With --config: have processes started by the launcher there, and need less power.");
    print_option("check", "", "With --config: read all files, say what is wrong in them, then exit.");
    print_option("print-policy[=json]", "", "Print what each process may do, and why, then exit.");
    print_option("version", "", "Print the version, then exit.");
    print_option("help", "", "Print this text, then exit.");
}

/* One error line. `typed` has not been checked by anybody, `wrong` is fit to print. */
static enum options_result bad(const char *typed, const char *wrong)
{
    char line[CONFIG_ERROR_SIZE];

    text_append(line, sizeof(line), text_append_quoted(line, sizeof(line), 0, typed), ": ");
    fprintf(stderr, "metawardd: %s%s: see metawardd --help\n", line, wrong);
    return OPTIONS_BAD;
}

/* One of the three that end the reading. */
static enum options_result other_option(int value)
{
    if (value == OPTION_POLICY && optarg == NULL)
        return OPTIONS_POLICY;
    if (value == OPTION_POLICY)
        return strcmp(optarg, "json") == 0 ? OPTIONS_POLICY_JSON
                                           : bad(optarg, "not a form of --print-policy");
    if (value == OPTION_HELP)
        print_help();
    else
        puts("metawardd " METAWARD_VERSION);
    return fflush(stdout) == 0 ? OPTIONS_DONE : bad("standard output", "can't be written");
}

/* --config, --launcher, --check and --take-over, each at most once. @return what is wrong, or NULL */
static const char *host_option(int value, struct options_host *host)
{
    bool *flag = value == OPTION_CHECK ? &host->check : &host->take_over;
    const char **path = value == OPTION_CONFIG ? &host->file : &host->launcher;
    bool takes_path = value == OPTION_CONFIG || value == OPTION_LAUNCHER;
    if (takes_path ? *path != NULL : *flag)
        return "given twice";
    if (!takes_path) {
        *flag = true;
        return NULL;
    }
    *path = optarg;
    return text_is_path(optarg, (value == OPTION_CONFIG ? CONFIG_PATH_SIZE : SETTINGS_PATH_SIZE) - 1)
               ? NULL
               : "not the absolute path of a file";
}

/* Behind the last option of a host daemon's command line. */
static enum options_result finish_host(const struct config *config, const struct options_host *host)
{
    if (host->file == NULL)
        return bad(host->check       ? "--check"
                   : host->take_over ? "--take-over"
                                     : "--launcher",
                   "needs --config");
    if (host->check && host->take_over)
        return bad("--take-over", "is not to be checked");
    if (config->given != 0)
        return bad("--config", "stands alone or with --check or --launcher; all other keys are the file's");
    return OPTIONS_HOST;
}

enum options_result options_read(int argc, char **argv, struct config *config, struct options_host *host)
{
    char error[CONFIG_ERROR_SIZE];
    bool good = true;
    int value, index, at;

    fill_options();
    config_default(config);
    *host = (struct options_host){0};
    opterr = 0;
    while (at = optind, good && (value = getopt_long(argc, argv, "+:", options, &index)) != -1) {
        if (value == ':')
            return bad(argv[at], "needs a value");
        if (value == '?')
            return bad(argv[at], optopt >= FIRST_KEY ? "takes no value" : "no such option");
        if (strcspn(argv[at] + 2, "=") != strlen(options[index].name))
            return bad(argv[at], "no such option");
        if (value < OPTION_CONFIG)
            return other_option(value);
        const char *wrong = value < FIRST_KEY ? host_option(value, host) : NULL;
        if (wrong != NULL)
            return bad(argv[at], wrong);
        if (value >= FIRST_KEY)
            good = config_set(config, options[index].name, optarg, error);
    }
    if (good && optind < argc)
        return bad(argv[optind], "not an option");
    if (good && (host->file != NULL || host->launcher != NULL || host->check || host->take_over))
        return finish_host(config, host);
    if (good && config_finish(config, error))
        return OPTIONS_RUN;
    fprintf(stderr, "metawardd: --%s: see metawardd --help\n", error);
    return OPTIONS_BAD;
}
