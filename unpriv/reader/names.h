/*
 * Names that are found by hash, so that a file with thousands of them is read in the time of its length.
 *
 * The hash is keyed with secret bytes that the kernel gives every process: nobody can choose names that
 * collide. A name is not copied; its bytes stay where they are, as long as the table is in use.
 */
#ifndef METAWARD_UNPRIV_READER_NAMES_H
#define METAWARD_UNPRIV_READER_NAMES_H

#include "ipc/instance.h"

#define NAMES_MOST  INSTANCES_MOST
#define NAMES_SLOTS (2 * NAMES_MOST)
#define NAMES_NONE  UINT32_MAX

struct names {
    uint32_t count;
    uint32_t slots[NAMES_SLOTS]; /* 1 + number of the newest name there; 0: none */
    struct {
        const void *bytes;
        uint32_t length;
        uint32_t next; /* in the same slot, as above */
    } name[NAMES_MOST];
};

/** Forget all names. Memory that no name has used yet is not touched. */
void names_begin(struct names *names);

/** @return the name's number, counted from 0 in the order of their addition; NAMES_NONE where there is none
 */
uint32_t names_find(const struct names *names, const void *bytes, size_t length);

/**
 * Add a name that is not there yet.
 *
 * @param bytes must stay as they are
 * @return its number; NAMES_NONE where there are NAMES_MOST already
 */
uint32_t names_add(struct names *names, const void *bytes, size_t length);

#endif
