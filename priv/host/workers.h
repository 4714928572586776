/*
 * The workers of the host daemon: who serves which network, and what each still has to be told.
 *
 * A worker hears of a network by messages, and gets them one after another as its channel has room: the
 * networks that it is to be told of stand in a queue of its own, and its channel is watched until the queue
 * is empty. After a worker's death all its networks are put in the queue of the next one. Nothing waits, and
 * no worker's trouble is another's.
 *
 * Shared: as many workers as configured, a new network goes to the one with the fewest. Own: a worker for
 * each network, in the slot that is the network's place, started when the network has its first listener.
 */
#ifndef METAWARD_PRIV_HOST_WORKERS_H
#define METAWARD_PRIV_HOST_WORKERS_H

#include "ipc/host_config.h"
#include "policy/facts.h"
#include "priv/host/networks.h"

/**
 * Before everything else.
 *
 * @param nursery of which workers are started once it is ready
 * @param serving called when the first worker serves; returns 0 or the step that failed, reported
 */
void workers_begin(const struct host_config *config, struct channel *nursery, const struct facts *facts,
                   int (*serving)(void));

/** The nursery is ready: start the first worker; the others follow when that serves. */
void workers_start(void);

/** Find a new network its worker. */
void workers_assign(uint32_t place);

/** Something about the network has changed: tell its worker what that does not know. */
void workers_tell(uint32_t place);

/** The worker in a slot ended, with `status` as wait4() gives it. @return 0, or the step that failed,
 * reported */
int workers_ended(uint16_t slot, int status);

/** Have all finish the requests in flight and end. @param successor another daemon accepts from now on */
void workers_drain(bool successor);

/** Does every worker serve that was to be started, or has it failed once, and know its networks? */
bool workers_settled(void);

/** Is there a worker, or one to be started? */
bool workers_any(void);

/** The worker in a slot, from 0; NULL where none ever was. */
const struct worker *workers_at(uint32_t slot);

/** How many networks the worker in a slot has. */
uint32_t workers_load(uint32_t slot);

#endif
