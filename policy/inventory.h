/*
 * The exact list of a child's descriptors, both ways: every expected one is there and of its kind, and no
 * other is.
 */
#ifndef METAWARD_POLICY_INVENTORY_H
#define METAWARD_POLICY_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>

enum descriptor_kind {
    KIND_CHANNEL,  /* AF_UNIX, SOCK_SEQPACKET */
    KIND_LOG,      /* AF_UNIX, SOCK_DGRAM */
    KIND_NO_SOCKET /* the executable, epoll */
};

struct descriptor {
    int fd;
    enum descriptor_kind kind;
};

/**
 * Compare what is open with what is expected, over every number that the resource limit allows.
 *
 * @return false with errno set (EBADF: one is missing, ENOTSOCK or EPROTOTYPE: of the wrong kind, EMFILE: one
 * too many)
 */
bool inventory_exact(const struct descriptor *expected, size_t count);

#endif
