/*
 * Times in a histogram of fixed size: each power of two of nanoseconds is cut into 64 parts, so a value that
 * is read from it is wrong by at most 1.6 %, and as many values as wanted cost nothing to keep.
 */
#ifndef METAWARD_BENCH_HISTOGRAM_H
#define METAWARD_BENCH_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

#define HISTOGRAM_PARTS 64
#define HISTOGRAM_BITS  6
#define HISTOGRAM_SLOTS (HISTOGRAM_PARTS * 40)

struct histogram {
    uint64_t total;
    uint64_t slots[HISTOGRAM_SLOTS];
};

static inline unsigned histogram_slot(uint64_t ns)
{
    unsigned shift = 0, slot;

    while (ns >> shift >= (uint64_t)2 * HISTOGRAM_PARTS)
        shift++;
    slot = shift * HISTOGRAM_PARTS + (unsigned)(ns >> shift);
    return slot < HISTOGRAM_SLOTS ? slot : HISTOGRAM_SLOTS - 1;
}

/* The greatest value that falls into a slot. */
static inline uint64_t histogram_value(unsigned slot)
{
    unsigned shift = slot < 2 * HISTOGRAM_PARTS ? 0 : slot / HISTOGRAM_PARTS - 1;

    return (((uint64_t)slot - shift * HISTOGRAM_PARTS + 1) << shift) - 1;
}

static inline void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->slots[histogram_slot(ns)]++;
    histogram->total++;
}

/* Pairs of microseconds and how many, as JSON; slots without any are left out. */
static inline void histogram_print(const struct histogram *histogram)
{
    const char *between = "";

    printf("[");
    for (unsigned i = 0; i < HISTOGRAM_SLOTS; i++) {
        if (histogram->slots[i] == 0)
            continue;
        printf("%s[%.1f,%lu]", between, (double)histogram_value(i) / 1e3, (unsigned long)histogram->slots[i]);
        between = ",";
    }
    printf("]");
}

#endif
