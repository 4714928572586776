/*
 * What metaward-reader sends, as it comes in: a reading, and behind it the instances in batches.
 *
 * Nothing of it is believed. A reading says how many instances follow; each batch must be the next one of
 * just so many. The instances go into the parent's new table (instances.h) and wait there until somebody
 * commits them.
 */
#ifndef METAWARD_IPC_ANSWER_H
#define METAWARD_IPC_ANSWER_H

#include "ipc/reading.h"

enum answer_progress {
    ANSWER_MORE,  /* not whole yet */
    ANSWER_WHOLE, /* the reading, and all instances that it announces */
    ANSWER_BAD /* errno says why: EBADMSG for what no file can lead to, ECONNRESET where the reader ended */
};

/** A reader has been started, of which nothing has come yet. */
void answer_begin(void);

/**
 * Take what has come. Does not wait.
 *
 * @param channel SOCK_SEQPACKET to the reader
 * @param out     filled in with the first message; the same each time
 */
enum answer_progress answer_take(int channel, struct reading *out);

/**
 * Wait until all has come.
 *
 * @param most_ms for all of it together
 * @return false with errno set; ETIMEDOUT where it took too long
 */
bool answer_await(int channel, unsigned most_ms, struct reading *out);

#endif
