/*
 * Reading the tables. See policy.h for the theory.
 */
#include "policy/policy.h"
#include "policy/table.h"

const struct policy *policy_of(enum policy_role role)
{
    static const struct policy *const roles[] = {
#define ROLE(id, name) &policy_##name,
        METAWARD_ROLES(ROLE)
#undef ROLE
    };
    return roles[role];
}

size_t policy_length(const struct policy *policy)
{
    return policy->count + policy->way_count + policy->more_count;
}

const struct policy_line *policy_at(const struct policy *policy, size_t i)
{
    if (i < policy->count)
        return &policy->lines[i];
    i -= policy->count;
    return i < policy->way_count ? &policy->way[i] : &policy->more[i - policy->way_count];
}

size_t policy_allowed(const struct policy *policy)
{
    size_t allowed = 0;
    for (size_t i = 0; i < policy_length(policy); i++) {
        const struct policy_line *line = policy_at(policy, i);
        bool first = line->action == POLICY_ALLOW;
        for (size_t j = 0; first && j < i; j++)
            first = policy_at(policy, j)->number != line->number;
        allowed += first ? 1 : 0;
    }
    return allowed;
}

const struct policy_line *policy_check(const struct policy *policy)
{
    for (size_t i = 0; i < policy_length(policy); i++) {
        const struct policy_line *line = policy_at(policy, i);
        for (size_t j = 0; j < i; j++) {
            const struct policy_line *other = policy_at(policy, j);
            bool both_pinned = line->pin_count > 0 && other->pin_count > 0 && line->action == other->action;
            if (other->number == line->number && !both_pinned)
                return line;
        }
    }
    return NULL;
}
