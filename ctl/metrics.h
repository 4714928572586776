/*
 * What the daemon knows, as OpenMetrics text (https://prometheus.io/docs/specs/om/open_metrics_spec/).
 */
#ifndef METAWARD_CTL_METRICS_H
#define METAWARD_CTL_METRICS_H

#include "ctl/records.h"

#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/** Write all metric families, and the end mark. */
void metrics_write(FILE *to, const struct records *records);

/**
 * Serve them at http://ADDR:PORT/metrics until a signal ends it.
 *
 * Each request of a client asks the daemon anew. Started as root, it becomes nobody, with the control
 * socket's group; then it gives up everything that a server of one page has no use for.
 *
 * @param address as address_parse() takes it
 * @return an exit status
 */
int metrics_serve(struct ctl *ctl, const char *address);

#endif
