/*
 * The names of a directory's files, in order.
 *
 * The C library's functions for it allocate; this is called under a filter too. What is in the directory
 * beyond the room here is counted, not kept.
 */
#ifndef METAWARD_POLICY_DIRECTORY_H
#define METAWARD_POLICY_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#define DIRECTORY_NAMES_MAX 16384
#define DIRECTORY_NAME_SIZE 64 /* a longer name is cut, and odd */

struct directory_name {
    char text[DIRECTORY_NAME_SIZE]; /* NUL-terminated; in an odd one '?' stands for what has no place in it */
    bool odd; /* it can't be used: too long, or of other bytes than letters, digits, '.', '_' and '-' */
};

struct directory {
    uint32_t count;
    uint32_t left_out; /* names for which there was no room */
    uint16_t order[DIRECTORY_NAMES_MAX];
    struct directory_name names[DIRECTORY_NAMES_MAX]; /* touched only as far as there are names */
};

/**
 * List the names that end in `suffix` and do not start with '.', in the order of their bytes.
 *
 * @param fd     open for reading, at its start; stays the caller's
 * @param suffix ".conf"
 * @return false with errno set
 */
bool directory_list(int fd, const char *suffix, struct directory *out);

/** Name number `i` in order, below out->count. */
const struct directory_name *directory_at(const struct directory *directory, uint32_t i);

#endif
