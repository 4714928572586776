/*
 * What the nursery and the worker are sent: the parent is trusted, but they use nothing unchecked all the
 * same.
 */
#include "fuzz/check.h"
#include "fuzz/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t phases[] = {PHASE_NURSERY, PHASE_WORKER_START, PHASE_WORKER_LISTENERS, PHASE_WORKER,
                                      0};

    ipc_fuzz(data, size, phases, 1);
    return 0;
}
