/*
 * The names of the reasons. An array of arrays, not of pointers: the worker has no relocations to apply.
 */
#include "ipc/reason.h"

#define REASON_ID_SIZE 24

static const char ids[][REASON_ID_SIZE] = {
#define REASON(id, name, meaning) name,
    METAWARD_REASONS(REASON)
#undef REASON
};

const char *http_reason_id(enum http_reason reason)
{
    return (unsigned)reason < REASON_COUNT ? ids[reason] : "?";
}
