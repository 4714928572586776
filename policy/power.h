/*
 * What the host daemon's start needs power for, and its end: done here, or by the launcher.
 *
 * Started by hand, the daemon has root's power until its first worker serves, and starts readers and the
 * nursery itself. Under a service manager it never has more than the two capabilities that it keeps; then
 * power_use() connects it to a launcher (priv/launcher/main.c), which calls the same functions. There is no
 * way from one to the other: what the launcher refuses is not done.
 */
#ifndef METAWARD_POLICY_POWER_H
#define METAWARD_POLICY_POWER_H

#include "policy/confine.h"
#include "policy/reader_process.h"

struct nursery {
    pid_t pid;
    int channel;      /* our end */
    unsigned filters; /* system call filters that it has inherited */
};

/**
 * Have all that follows done by the launcher that listens there: at once a connection, which is kept until
 * the end.
 *
 * @param path absolute, shorter than SETTINGS_PATH_SIZE; it must last
 * @return 0 or STEP_LAUNCHER, reported: nobody is there, or it is not root
 */
int power_use(const char *path);

/** Where that launcher listens; NULL: all is done here. */
const char *power_path(void);

/** reader_start() of a reader of files that follow over the channel. */
int power_reader_start(struct reader_process *out);

/** reader_end() of that reader. */
int power_reader_end(const struct reader_process *reader, int *status);

/**
 * launch_nursery().
 *
 * @param backend the agent's socket, in an array of SETTINGS_PATH_SIZE
 * @param name    what the process list shows, in an array of NETWORK_TAG_SIZE
 * @return 0, or the step that failed, reported
 */
int power_nursery(struct confinement *confinement, const char *backend, const char *name,
                  struct nursery *out);

/** facts_surroundings() of a worker. @return NULL, or a string that lasts, with what is not right */
const char *power_look(pid_t worker);

/** Let a group connect to a socket of ours; CONTROL_NO_GROUP: root alone. @return false with errno set */
bool power_entitle(const char *path, gid_t group);

/**
 * The power ends here: the launcher's, which the kernel confirms, and our own but for what confine_host()
 * keeps.
 *
 * @return 0, or the step that failed, reported
 */
int power_settle(void);

/** The nursery has ended. Is the reason that the launcher has? Waits for a second at most. */
bool power_lost(void);

/** launch_end() of the nursery. */
void power_end(int channel, pid_t nursery);

#endif
