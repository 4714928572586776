/*
 * Reading it. See haproxy_options.h.
 */
#include "ipc/haproxy_options.h"

#include "ipc/text.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum option {
    OPTION_FILE,
    OPTION_PID_FILE,
    OPTION_BACK,
    OPTION_FRONT,
    OPTION_MASTER,
    OPTION_CHECK,
    OPTION_QUIET,
    OPTION_NOTHING,
    OPTION_VERSION,
    OPTION_OLD_FINISH,
    OPTION_OLD_END
};

static const struct {
    const char *word;
    enum option option;
} words[] = {
    {"-f", OPTION_FILE},    {"-p", OPTION_PID_FILE},    {"-D", OPTION_BACK},     {"-Ds", OPTION_FRONT},
    {"-W", OPTION_MASTER},  {"-Ws", OPTION_FRONT},      {"-db", OPTION_FRONT},   {"-c", OPTION_CHECK},
    {"-q", OPTION_QUIET},   {"-V", OPTION_NOTHING},     {"-v", OPTION_VERSION},  {"-vv", OPTION_VERSION},
    {"--", OPTION_NOTHING}, {"-sf", OPTION_OLD_FINISH}, {"-st", OPTION_OLD_END},
};

static bool bad(char error[CONFIG_ERROR_SIZE], const char *word, const char *what)
{
    size_t used = text_append(error, CONFIG_ERROR_SIZE, 0, "");
    used = text_append_quoted(error, CONFIG_ERROR_SIZE, used, word);
    text_append(error, CONFIG_ERROR_SIZE, used, what);
    return false;
}

/* @param prefix "/" for a path that may be relative, or "" */
static bool take_path(const char *text, const char *prefix, char out[CONFIG_PATH_SIZE], const char *option,
                      char error[CONFIG_ERROR_SIZE])
{
    char whole[CONFIG_PATH_SIZE];
    if (text == NULL || text[0] == '-')
        return bad(error, option, ": needs a file");
    if (out[0] != '\0')
        return bad(error, option, ": given twice");
    size_t used = text_append(whole, sizeof(whole), 0, text[0] == '/' ? "" : prefix);
    text_append(whole, sizeof(whole), used, text);
    if (strlen(text) >= sizeof(whole) - 1 || !text_is_path(whole, sizeof(whole) - 1))
        return bad(error, text, prefix[0] == '\0' ? ": needs an absolute path" : ": needs a plain path");
    return text_store(out, CONFIG_PATH_SIZE, text);
}

/* The numbers behind -sf and -st, up to the next option. @return how many words they are, or -1 */
static int take_old(char **argv, int left, struct haproxy_options *out, char error[CONFIG_ERROR_SIZE])
{
    int taken = 0;
    for (; taken < left && argv[taken][0] != '-'; taken++) {
        uint32_t pid;
        if (!text_number(argv[taken], 2, INT32_MAX, &pid)) {
            bad(error, argv[taken], ": not a process number");
            return -1;
        }
        if (out->old_count == HAPROXY_OLD_MAX) {
            bad(error, argv[taken], ": too many processes");
            return -1;
        }
        out->old[out->old_count++] = (pid_t)pid;
    }
    return taken;
}

static bool find(const char *word, enum option *option)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].word, word) == 0) {
            *option = words[i].option;
            return true;
        }
    }
    return false;
}

/* Options without a value. -db, -Ws and -Ds keep it in front, -D takes it to the back, -W alone in front. */
static void set_flag(enum option option, struct haproxy_options *out)
{
    if (option == OPTION_BACK && out->ground != GROUND_FRONT)
        out->ground = GROUND_BACK;
    else if (option == OPTION_FRONT)
        out->ground = GROUND_FRONT;
    else if (option == OPTION_MASTER)
        out->master = true;
    else if (option == OPTION_CHECK)
        out->check = true;
    else if (option == OPTION_QUIET)
        out->quiet = true;
}

/* One option and its values. @return how many words it takes, or -1 */
static int take(char **argv, int left, struct haproxy_options *out, char error[CONFIG_ERROR_SIZE])
{
    enum option option;
    if (!find(argv[0], &option)) {
        bad(error, argv[0], ": unknown option; this is metaward in the place of haproxy");
        return -1;
    }
    switch (option) {
    case OPTION_FILE:
        return take_path(argv[1], "/", out->file, argv[0], error) ? 2 : -1;
    case OPTION_PID_FILE:
        return take_path(argv[1], "", out->pid_file, argv[0], error) ? 2 : -1;
    case OPTION_OLD_FINISH:
    case OPTION_OLD_END: {
        int taken = take_old(argv + 1, left - 1, out, error);
        out->old_signal = option == OPTION_OLD_END ? SIGTERM : SIGUSR1;
        return taken < 0 ? -1 : taken + 1;
    }
    default:
        set_flag(option, out);
        return 1;
    }
}

enum haproxy_result haproxy_options_read(int argc, char **argv, struct haproxy_options *out,
                                         char error[CONFIG_ERROR_SIZE])
{
    memset(out, 0, sizeof(*out));
    for (int i = 1; i < argc; i++) {
        enum option option;
        if (find(argv[i], &option) && option == OPTION_VERSION)
            return HAPROXY_VERSION;
    }
    for (int i = 1; i < argc;) {
        int taken = take(argv + i, argc - i, out, error);
        if (taken < 0)
            return HAPROXY_BAD;
        i += taken;
    }
    if (out->master && out->ground == GROUND_AS_CONFIGURED)
        out->ground = GROUND_FRONT;
    if (out->file[0] != '\0')
        return HAPROXY_RUN;
    bad(error, "-f", ": needs to be given once");
    return HAPROXY_BAD;
}
