/*
 * What a nursery or a worker that has been taken over may send to the parent.
 */
#include "fuzz/check.h"
#include "fuzz/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t phases[] = {PHASE_PARENT_NURSERY_START, PHASE_PARENT_NURSERY,
                                      PHASE_PARENT_WORKER_START,  PHASE_PARENT_WORKER_READY,
                                      PHASE_PARENT_WORKER,        0};

    ipc_fuzz(data, size, phases, 0);
    return 0;
}
