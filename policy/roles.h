/*
 * The processes that have a policy, and so a filter: one line each. The rest is made from this list: the
 * numbers in policy.h, the tables' names in table.h (policy_NAME, defined in NAME.c), the compiled filters.
 * The dialed ones are for an agent over TCP: there no process but the dialer can make a socket or connect
 * one. Those for reload are a host's proxy's, which reads its configuration again: a parent that opens it,
 * and a dialed nursery that starts a reader.
 */
#ifndef METAWARD_POLICY_ROLES_H
#define METAWARD_POLICY_ROLES_H

#define METAWARD_ROLES(ROLE)                                                                                 \
    ROLE(PARENT, parent)                                                                                     \
    ROLE(NURSERY, nursery)                                                                                   \
    ROLE(WORKER, worker)                                                                                     \
    ROLE(READER, reader)                                                                                     \
    ROLE(READER_HOST, reader_host)                                                                           \
    ROLE(HOST, host)                                                                                         \
    ROLE(LEASE, lease)                                                                                       \
    ROLE(NURSERY_DIALED, nursery_dialed)                                                                     \
    ROLE(WORKER_DIALED, worker_dialed)                                                                       \
    ROLE(DIALER, dialer)                                                                                     \
    ROLE(PARENT_RELOAD, parent_reload)                                                                       \
    ROLE(NURSERY_RELOAD, nursery_reload)                                                                     \
    ROLE(NURSERY_HOST, nursery_host)                                                                         \
    ROLE(LAUNCHER, launcher)

#endif
