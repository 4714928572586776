/*
 * The daemon's records as JSON values (jansson), the caller's to release.
 */
#ifndef METAWARD_CTL_JSON_H
#define METAWARD_CTL_JSON_H

#include "ctl/records.h"

#include <jansson.h>

/** A network; its counters stand under "counters". */
json_t *json_network(const struct record *record);

/** What was counted for a network, with its id. */
json_t *json_counters(const struct counters *counters);

/** The daemon and its workers. */
json_t *json_daemon(const struct control_daemon *daemon, const struct control_worker *workers, size_t count);

/** Print a value with a line end, and release it. @return an exit status */
int json_print(json_t *value);

#endif
