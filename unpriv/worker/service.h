/*
 * What every event handler begins and ends with.
 */
#ifndef METAWARD_UNPRIV_WORKER_SERVICE_H
#define METAWARD_UNPRIV_WORKER_SERVICE_H

/** First of all: look at the clock. */
void service_wake(void);

/** Last of all: send waiting requests to the agent, and see whether a drain is over. */
void service_settle(void);

#endif
