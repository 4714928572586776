/*
 * What the daemon knows, fetched whole: its networks with what was counted for each, its workers, itself.
 */
#ifndef METAWARD_CTL_RECORDS_H
#define METAWARD_CTL_RECORDS_H

#include "ctl/ctl.h"

struct record {
    struct control_network network;
    struct counters counters; /* all zero where nothing is counted (yet) */
};

struct records {
    struct record *at; /* in the order of the networks' ids; files that describe none come first */
    size_t count;
    struct control_daemon daemon;
    struct control_worker *workers;
    size_t worker_count;
};

/** Fetch all of it; let go with records_free(). `reason` as ctl_ask_quietly(). @return an exit status */
int records_fetch(struct ctl *ctl, struct records *records, char *reason);

/** Fetch one network. @return an exit status, said */
int records_one(struct ctl *ctl, const char *word, struct record *record);

/** The daemon, and its workers where `workers` is not NULL (to be freed). @return an exit status, said */
int records_health(struct ctl *ctl, struct control_daemon *daemon, struct control_worker **workers,
                   size_t *count);

/** Release what was fetched. */
void records_free(struct records *records);

/** "waiting", "serving", ... */
const char *state_name(uint8_t state);

/** "file", "control", "lease". */
const char *origin_name(uint8_t origin);

/** The sum of some numbers, such as all requests of a network. */
uint64_t sum(const uint64_t *numbers, size_t count);

/**
 * The most milliseconds that `percent` of the requests took, by the histogram's classes.
 *
 * @return "-" where there was no request; good until the next but three calls
 */
const char *latency_text(const struct counters *counters, unsigned percent);

#endif
