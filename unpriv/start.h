/*
 * The worker's start: from its first instruction to the event loop.
 *
 * It waits for the settings, reserves all memory, makes libevent's base, compiles its filter, narrows itself
 * for good and says so. Only then does the parent, having looked for itself, hand over the first listener.
 */
#ifndef METAWARD_UNPRIV_START_H
#define METAWARD_UNPRIV_START_H

#include "ipc/channel.h"

/**
 * Be the worker, on CHANNEL_FD and LOG_FD, until the parent closes the channel or drains it.
 *
 * @return an exit status: 0, or the step that failed, which the parent has been told by then
 */
int start_worker(void);

/**
 * Wait for a message that may come in a phase. Ends the process where the parent has closed the channel.
 *
 * @return false where what came is not good, with errno set
 */
bool start_await(struct channel *channel, uint32_t phase, struct received *received);

/**
 * Tell the parent on CHANNEL_FD that a step failed, with errno.
 *
 * @return the step
 */
int start_failed(int step);

#endif
