/*
 * metawardctl: the administrator's command, a plain program that asks the host daemon over its control
 * socket.
 *
 * It has no power of its own and gets none: what it may ask follows from who started it. A verb is a function
 * that gets the words behind it; they share what is here: where the socket is, how to end, how to ask.
 */
#ifndef METAWARD_CTL_CTL_H
#define METAWARD_CTL_CTL_H

#include "ipc/control.h"

#include <stdbool.h>
#include <stdio.h>

/* Exit statuses. */
enum {
    CTL_OK = 0,
    CTL_REFUSED = 1,     /* the daemon says no, or is not healthy */
    CTL_USAGE = 2,       /* the command line is wrong */
    CTL_UNREACHABLE = 3, /* there is no daemon, or it may not be asked */
    CTL_UNKNOWN = 4,     /* there is no such network */
    CTL_PROTOCOL = 5     /* what answers is no daemon of this version */
};

struct ctl {
    const char *socket; /* --socket */
    bool json;          /* --json */
    int fd;             /* to the daemon; -1: not yet */
};

struct verb {
    const char *name;
    const char *usage;                                  /* what follows the name */
    const char *help;                                   /* one sentence */
    int (*run)(struct ctl *ctl, int argc, char **argv); /* argv[0] is the verb; returns an exit status */
};

/** All verbs, ended by one without a name. */
extern const struct verb verbs[];

/** Say what is wrong with the command line. @return CTL_USAGE */
int ctl_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * Take the common options and the words of a verb that has no option of its own.
 *
 * @param least, most how many words may follow the verb
 * @return the first word's index, or -1: said already
 */
int ctl_words(struct ctl *ctl, int argc, char **argv, int least, int most);

/** Take one common option (--socket, --json) as getopt_long() found it. @return false where it is none */
bool ctl_common(struct ctl *ctl, int option);

/* The common options, for a verb's own table. */
#define CTL_COMMON                                                                                           \
    {"socket", required_argument, NULL, 's'},                                                                \
    {                                                                                                        \
        "json", no_argument, NULL, 'j'                                                                       \
    }

/** A UUID in the form that the daemon uses, as the body of a request. @return CTL_OK, or CTL_USAGE, said */
int ctl_uuid(const char *word, char out[NETWORK_UUID_SIZE]);

/**
 * Ask, and hand each record of the answer to `record`.
 *
 * @param netns a descriptor to go with the request; -1: none
 * @param record may be NULL where no record is expected
 * @return an exit status; what is wrong has been said
 */
int ctl_ask(struct ctl *ctl, const struct control_request *request, int netns,
            void (*record)(const struct control_reply *reply, void *context), void *context);

/** ctl_ask() that says nothing: `reason` tells, CONTROL_REASON_SIZE bytes. */
int ctl_ask_quietly(struct ctl *ctl, const struct control_request *request, int netns,
                    void (*record)(const struct control_reply *reply, void *context), void *context,
                    char *reason);

int verb_add(struct ctl *ctl, int argc, char **argv);
int verb_remove(struct ctl *ctl, int argc, char **argv);
int verb_reload(struct ctl *ctl, int argc, char **argv);
int verb_upgrade(struct ctl *ctl, int argc, char **argv);
int verb_drain(struct ctl *ctl, int argc, char **argv);
int verb_health(struct ctl *ctl, int argc, char **argv);
int verb_list(struct ctl *ctl, int argc, char **argv);
int verb_show(struct ctl *ctl, int argc, char **argv);
int verb_stats(struct ctl *ctl, int argc, char **argv);
int verb_top(struct ctl *ctl, int argc, char **argv);
int verb_metrics(struct ctl *ctl, int argc, char **argv);

#endif
