/*
 * What the harnesses have in common: a property that stays checked in every build, and the control bytes.
 *
 * A harness takes its choices (where to cut, which limits) from the last bytes of the input, so that a seed
 * reads like what it stands for and only ends in a few odd bytes.
 */
#ifndef METAWARD_FUZZ_CHECK_H
#define METAWARD_FUZZ_CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

static inline void check_failed(const char *file, int line, const char *condition)
{
    (void)fprintf(stderr, "%s:%d: violated: %s\n", file, line, condition);
    abort();
}

/** Take one control byte from the end; 0 where nothing is left. */
static inline unsigned take_control(const uint8_t *data, size_t *size)
{
    return *size > 0 ? data[--*size] : 0;
}

/** A place to cut `size` bytes: early, late or anywhere between, as two control bytes say. */
static inline size_t take_cut(const uint8_t *data, size_t *size)
{
    const unsigned high = take_control(data, size), low = take_control(data, size);
    return *size > 0 ? (high << 8 | low) % (*size + 1) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
