/*
 * Counting in shared memory. See counters.h.
 */
#include "ipc/counters.h"

#include "ipc/reason.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

_Static_assert(REASON_COUNT <= COUNTERS_REASONS, "a number for each reason");
_Static_assert(sizeof(struct counters) % sizeof(uint64_t) == 0 &&
                   sizeof(struct counters) ==
                       NETWORK_UUID_SIZE + sizeof(uint64_t) * (2 + COUNTERS_CLASSES + COUNTERS_REASONS + 4 +
                                                               COUNTERS_LATENCIES + 1),
               "counters have no padding");

const uint32_t counters_latency_most[COUNTERS_LATENCIES] = {5,    10,   25,   50,    100,   250,       500,
                                                            1000, 2500, 5000, 10000, 30000, UINT32_MAX};

size_t counters_size(uint32_t networks)
{
    return networks * sizeof(struct counters);
}

int counters_make(uint32_t networks)
{
    int fd = memfd_create("metaward-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)counters_size(networks)) == 0 && fcntl(fd, F_ADD_SEALS, SEALS) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

bool counters_read(int fd, uint32_t number, struct counters *out)
{
    if (pread(fd, out, sizeof(*out), (off_t)counters_size(number)) == (ssize_t)sizeof(*out))
        return true;
    memset(out, 0, sizeof(*out));
    return false;
}

struct counters *counters_map(int fd, uint32_t networks)
{
    void *map = mmap(NULL, counters_size(networks), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return map == MAP_FAILED ? NULL : map;
}

void counters_begin(struct counters *counters, const char uuid[NETWORK_UUID_SIZE])
{
    if (memcmp(counters->uuid, uuid, NETWORK_UUID_SIZE) != 0) {
        memset(counters, 0, sizeof(*counters));
        memcpy(counters->uuid, uuid, NETWORK_UUID_SIZE);
    }
    counters->open_now = 0;
    counters->queued = 0;
    counters->in_flight = 0;
}

void counters_end(struct counters *counters)
{
    memset(counters, 0, sizeof(*counters));
}

void counters_latency(struct counters *counters, uint64_t ms)
{
    unsigned class = 0;
    while (class < COUNTERS_LATENCIES - 1 && ms > counters_latency_most[class])
        class ++;
    counters_add(&counters->latency[class], 1);
    counters_add(&counters->latency_ms, ms);
}
