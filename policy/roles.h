/*
 * The processes that have a policy, and so a filter: one line each. The rest is made from this list: the
 * numbers in policy.h, the tables' names in table.h (policy_NAME, defined in NAME.c), the compiled filters.
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
    ROLE(LEASE, lease)

#endif
