/*
 * The parent's side of the dialer (unpriv/dialer.h): its start, looked at like any child's, and the lines of
 * workers.
 *
 * There is one dialer for the life of the parent. It is ready before anything else is started, and when it
 * ends, the parent ends: it holds nothing that could be taken over by another one.
 */
#ifndef METAWARD_POLICY_SWITCHBOARD_H
#define METAWARD_POLICY_SWITCHBOARD_H

#include "ipc/channel.h"
#include "policy/facts.h"

/**
 * Tell a new dialer the address, wait until it says that it is confined, and look whether that is so. Waits
 * for ten seconds at most.
 *
 * @param channel to the dialer
 * @param worker  the facts about a worker; the dialer has one filter less
 * @return 0, or the step that failed, reported
 */
int switchboard_begin(struct channel *channel, const struct address *agent, const struct facts *worker);

/**
 * Make a line between the dialer and a worker, and send each its end. That one of them is gone is no failure
 * here: whoever reads its channel tells it.
 *
 * @return false with errno set
 */
bool switchboard_connect(struct channel *dialer, struct channel *worker);

/** Something has come over the channel, and nothing should: the dialer has ended. @return 0, or
 * STEP_DIALER_DIED, reported */
int switchboard_receive(struct channel *channel);

#endif
