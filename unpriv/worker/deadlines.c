/*
 * Deadlines. See deadlines.h for the theory.
 */
#include "unpriv/worker/deadlines.h"

static struct deadline *first_of(const struct deadlines *deadlines, unsigned kind)
{
    struct list_node *node = deadlines->lists[kind].first;

    return node ? list_owner(node, struct deadline, node) : NULL;
}

void deadlines_clear(struct deadlines *deadlines, struct deadline *deadline)
{
    if (deadline->at == 0)
        return;
    list_remove(&deadlines->lists[deadline->kind], &deadline->node);
    deadline->at = 0;
}

void deadlines_set(struct deadlines *deadlines, struct deadline *deadline, enum deadline_kind kind,
                   uint64_t now)
{
    deadlines_clear(deadlines, deadline);
    deadline->kind = (uint8_t)kind;
    deadline->at =
        now + deadlines->duration[kind] + 1; /* +1: never 0, and never early by a part of a millisecond */
    list_append(&deadlines->lists[kind], &deadline->node);
}

uint64_t deadlines_earliest(const struct deadlines *deadlines)
{
    uint64_t earliest = DEADLINE_NEVER;

    for (unsigned kind = 0; kind < DEADLINE_KINDS; kind++) {
        const struct deadline *deadline = first_of(deadlines, kind);

        if (deadline && deadline->at < earliest)
            earliest = deadline->at;
    }
    return earliest;
}

struct deadline *deadlines_expired(struct deadlines *deadlines, uint64_t now)
{
    for (unsigned kind = 0; kind < DEADLINE_KINDS; kind++) {
        struct deadline *deadline = first_of(deadlines, kind);

        if (deadline && deadline->at <= now) {
            deadlines_clear(deadlines, deadline);
            return deadline;
        }
    }
    return NULL;
}
