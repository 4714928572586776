/*
 * What the two harnesses of the messages share; they differ only in who receives.
 */
#ifndef METAWARD_FUZZ_IPC_H
#define METAWARD_FUZZ_IPC_H

#include "ipc/message.h"

#include <stddef.h>
#include <stdint.h>

/**
 * Send the input, cut into packets of a message's size, over a real socket pair, and check what comes out of
 * it.
 *
 * The last three bytes are control bytes: the phase, the number of descriptors, and whether the sequence
 * number is put right.
 *
 * @param phases those of the receiver, ended by 0
 * @param end    which end of the pair receives: 0 the parent's, which tells the sender's pid, or 1
 */
void ipc_fuzz(const uint8_t *data, size_t size, const uint32_t *phases, unsigned end);

#endif
