/*
 * The command line that Neutron and the container wrappers use for the proxy: HAProxy's, as far as they do.
 */
#ifndef METAWARD_IPC_HAPROXY_OPTIONS_H
#define METAWARD_IPC_HAPROXY_OPTIONS_H

#include "ipc/config.h"

#include <sys/types.h>

#define HAPROXY_OLD_MAX 16

enum haproxy_ground { GROUND_AS_CONFIGURED = 0, GROUND_BACK, GROUND_FRONT };

struct haproxy_options {
    char file[CONFIG_PATH_SIZE];     /* -f: the configuration, maybe relative */
    char pid_file[CONFIG_PATH_SIZE]; /* -p; empty: as configured */
    enum haproxy_ground ground;      /* -D; -db, -W without -D, -Ws, -Ds stay in front */
    bool check;                      /* -c: say whether the configuration is good, and end */
    bool quiet;                      /* -q */
    bool master;                     /* -W: in front, unless -D is given too */
    int old_signal;                  /* for the processes below: SIGUSR1 (-sf) or SIGTERM (-st); 0: none */
    unsigned old_count;
    pid_t old[HAPROXY_OLD_MAX];
};

enum haproxy_result { HAPROXY_RUN, HAPROXY_VERSION, HAPROXY_BAD };

/**
 * Read a whole command line: -f FILE, -p FILE, -D, -Ds, -W, -Ws, -db, -c, -q, -V, -v, -vv, -sf PIDS, -st
 * PIDS, --. Options are words of their own; nothing is abbreviated or joined.
 *
 * @param error with HAPROXY_BAD one line that says what is wrong; no line end
 * @return HAPROXY_VERSION: say what this is (-v, -vv), and end
 */
enum haproxy_result haproxy_options_read(int argc, char **argv, struct haproxy_options *out,
                                         char error[CONFIG_ERROR_SIZE]);

#endif
