/*
 * The command line, by getopt_long() and the table of ipc/config.h; the values are read there.
 */
#ifndef METAWARD_IPC_OPTIONS_H
#define METAWARD_IPC_OPTIONS_H

#include "ipc/config.h"

/* The host daemon's command line. */
struct options_host {
    const char *file;     /* --config: of argv */
    bool check;           /* --check */
    const char *launcher; /* --launcher: of argv; NULL: none */
    bool take_over;       /* --take-over: standard input is a daemon's end of a handover (handover.h) */
};

enum options_result {
    OPTIONS_RUN,         /* `config` is whole and good */
    OPTIONS_HOST,        /* --config: `host` is filled in; everything else stands in that file */
    OPTIONS_POLICY,      /* --print-policy: nothing else was asked */
    OPTIONS_POLICY_JSON, /* --print-policy=json */
    OPTIONS_DONE,        /* --help or --version was printed: exit 0 */
    OPTIONS_BAD,         /* one line was written to stderr: exit STEP_USAGE */
};

/**
 * Read a whole command line.
 *
 * Long options only, with '-' or '_' between their words, never abbreviated; no other arguments. The first of
 * --help,
 * --version and --print-policy ends the reading. `argv` is not changed, for its text is what /proc shows.
 *
 * @param config filled in with config_default(), the options and config_finish(); good only with OPTIONS_RUN
 * @param host   filled in only with OPTIONS_HOST
 */
enum options_result options_read(int argc, char **argv, struct config *config, struct options_host *host);

#endif
