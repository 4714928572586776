/*
 * Starting metaward-reader, as a child of the process that needs it.
 */
#ifndef METAWARD_POLICY_READER_PROCESS_H
#define METAWARD_POLICY_READER_PROCESS_H

#include <sys/types.h>

struct reader_process {
    pid_t pid;
    int channel; /* SOCK_SEQPACKET, close-on-exec */
};

/**
 * Start a reader: an unprivileged child (confine_helper()) that loads a filter of its own before it reads
 * anything.
 *
 * @param file the one file that it is to read; or -1: files of the host daemon, which follow over the channel
 * @return 0, or the step that failed, reported
 */
int reader_start(int file, struct reader_process *out);

/**
 * Have done with it: SIGKILL, wait, close the channel.
 *
 * @param status how it ended, as waitpid() gives it
 * @return 0 or STEP_READER, reported
 */
int reader_end(const struct reader_process *reader, int *status);

/**
 * Say why a reader gave no answer.
 *
 * @param status from reader_end()
 * @param error  errno of the wait for its answer
 * @return the step, which is its own where it named one
 */
int reader_failed(int status, int error);

#endif
