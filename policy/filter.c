/*
 * Preparing and loading. See filter.h for the theory.
 */
#include "policy/filter.h"

#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint32_t value_of(uint16_t place, const struct policy_values *values)
{
    uint64_t address = (uint64_t)(uintptr_t)values->address;
    if (place == PLACE_ADDRESS_HIGH)
        return (uint32_t)(address >> 32);
    if (place == PLACE_FAMILY)
        return values->family;
    return place == PLACE_ADDRESS_LOW ? (uint32_t)address : values->address_length;
}

void filter_prepare(enum policy_role role, const struct policy_values *values, struct filter *out)
{
    const struct filter_source *source = &filter_sources[role];
    out->length = source->length;
    memcpy(out->program, source->program, source->length * sizeof(struct sock_filter));
    for (uint16_t i = 0; i < source->patch_count; i++)
        out->program[source->patches[i].instruction].k = value_of(source->patches[i].place, values);
}

bool filter_load(enum policy_role role, const struct policy_values *values)
{
    static struct filter filter; /* not on the stack, whose pages would stay */
    filter_prepare(role, values, &filter);
    struct sock_fprog program = {.len = filter.length, .filter = filter.program};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}
