/*
 * What the host daemon's workers count, for each network, in memory that the parent can read.
 *
 * The parent makes one piece of memory for each worker (a memfd, sealed in its size), hands it to every
 * worker that it starts in that slot; itself it only reads, when it is asked. A worker maps it before its
 * filter is loaded and adds to it as it works: telling costs no message and no system call, and a worker that
 * is replaced goes on counting where the last one ended. Nothing is ever decided by these numbers: a worker
 * that has been taken over can write what it likes there, and only its own networks' numbers.
 *
 * One thread writes, others read at any time: every number is stored whole (relaxed), numbers that belong
 * together may be one event apart.
 */
#ifndef METAWARD_IPC_COUNTERS_H
#define METAWARD_IPC_COUNTERS_H

#include "ipc/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNTERS_CLASSES   6  /* [0]: the guest was gone before its answer; [n]: status n00 to n99 */
#define COUNTERS_REASONS   56 /* enum http_reason, with room for more */
#define COUNTERS_LATENCIES 13

/* Numbers since the network was added; a worker's restart does not begin them anew. */
struct counters {
    char uuid[NETWORK_UUID_SIZE];         /* of the network that the numbers are about; zero-filled */
    uint64_t connections;                 /* accepted */
    uint64_t open_now;                    /* accepted and not closed: now */
    uint64_t requests[COUNTERS_CLASSES];  /* answered, by class of the status */
    uint64_t refused[COUNTERS_REASONS];   /* requests and connections that went wrong, by reason */
    uint64_t spoofs;                      /* requests with a header that only the proxy may set */
    uint64_t rate_limited;                /* requests beyond a rate, refused or (in shadow) not */
    uint64_t queued;                      /* requests that wait for the agent: now */
    uint64_t in_flight;                   /* requests at the agent: now */
    uint64_t latency[COUNTERS_LATENCIES]; /* complete requests by the time until their end, see below */
    uint64_t latency_ms;                  /* the sum of these times */
};

/*
 * The most milliseconds of each class of `latency`; the last has no bound. The time is that from the last
 * byte of a request to the last byte of its answer that the guest took, waiting for the agent included: the
 * `ms` of the log's event=request. It is read from a coarse clock (a few milliseconds).
 */
extern const uint32_t counters_latency_most[COUNTERS_LATENCIES];

/** The bytes that the counters of so many networks take. */
size_t counters_size(uint32_t networks);

/**
 * Make the memory for so many networks: close-on-exec, all zero, its size sealed. (The parent.)
 *
 * Takes memfd_create(MFD_CLOEXEC | MFD_ALLOW_SEALING), ftruncate() and fcntl(F_ADD_SEALS). Memory is used
 * only for the pages that are counted in.
 *
 * @return a descriptor, the caller's; -1 with errno set
 */
int counters_make(uint32_t networks);

/**
 * Take a copy of one network's numbers while they are being counted: pread(). (The parent.)
 *
 * @param number the network's in its worker
 * @return false where there is nothing to read; `out` is all zero then
 */
bool counters_read(int fd, uint32_t number, struct counters *out);

/**
 * Map it to be counted in. (The worker, before it is confined.)
 *
 * @param networks as many as it was made for: a worker's settings.max_networks
 * @return the first network's; NULL with errno set
 */
struct counters *counters_map(int fd, uint32_t networks);

/** Begin to count for a network: numbers that were another's start at 0, those of "now" always do. */
void counters_begin(struct counters *counters, const char uuid[NETWORK_UUID_SIZE]);

/** The network was removed: forget what was counted. */
void counters_end(struct counters *counters);

/** Add to one number. */
static inline void counters_add(uint64_t *number, uint64_t more)
{
    __atomic_store_n(number, *number + more, __ATOMIC_RELAXED);
}

/** Count a request that took `ms` milliseconds. */
void counters_latency(struct counters *counters, uint64_t ms);

#endif
