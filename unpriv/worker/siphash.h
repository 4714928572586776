/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash, so that a guest can't choose addresses that
 * collide.
 */
#ifndef METAWARD_UNPRIV_WORKER_SIPHASH_H
#define METAWARD_UNPRIV_WORKER_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/** The hash of `length` bytes under a key of 16 secret bytes. */
uint64_t siphash(const uint8_t key[16], const void *bytes, size_t length);

#endif
