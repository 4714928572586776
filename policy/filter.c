/*
 * Compiling and loading. See filter.h for the theory.
 */
#include "policy/filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool fail(int negative)
{
    errno = -negative;
    return false;
}

static uint64_t pin_value(const struct policy_pin *pin, const struct policy_values *values)
{
    switch ((enum policy_source)pin->source) {
    case POLICY_ADDRESS:
        return (uint64_t)(uintptr_t)values->address;
    case POLICY_ADDRESS_LENGTH:
        return values->address_length;
    case POLICY_CONSTANT:
        break;
    }
    return pin->value;
}

static bool add_line(scmp_filter_ctx ctx, const struct policy_line *line, const struct policy_values *values)
{
    struct scmp_arg_cmp arguments[POLICY_PINS_MAX];
    for (unsigned i = 0; i < line->pin_count; i++) {
        const struct policy_pin *pin = &line->pins[i];
        if (pin->source != POLICY_CONSTANT && values == NULL)
            return fail(-EINVAL);
        arguments[i] = (struct scmp_arg_cmp){.arg = pin->argument,
                                             .op = SCMP_CMP_MASKED_EQ,
                                             .datum_a = pin->mask,
                                             .datum_b = pin_value(pin, values)};
    }
    uint32_t action = line->action == POLICY_ALLOW ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint32_t)line->error);
    int rc = seccomp_rule_add_exact_array(ctx, action, line->number, line->pin_count, arguments);
    return rc == 0 ? true : fail(rc);
}

static bool compile(scmp_filter_ctx ctx, const struct policy *policy, const struct policy_values *values)
{
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0)
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree instead of a list */
    if (rc != 0)
        return fail(rc);
    for (size_t i = 0; i < policy_length(policy); i++) {
        if (!add_line(ctx, policy_at(policy, i), values))
            return false;
    }
    return true;
}

/* The program leaves libseccomp through a file in memory: it knows no shorter way before 2.6. */
static bool export(scmp_filter_ctx ctx, struct filter *out)
{
    int fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0)
        return false;
    int rc = seccomp_export_bpf(ctx, fd);
    ssize_t size = rc == 0 ? pread(fd, out->program, sizeof(out->program), 0) : rc;
    int error = errno;
    close(fd);
    if (rc != 0)
        return fail(rc);
    if (size <= 0 || (size_t)size == sizeof(out->program) || (size_t)size % sizeof(struct sock_filter) != 0)
        return fail(size < 0 ? -error : -E2BIG);
    out->length = (unsigned short)((size_t)size / sizeof(struct sock_filter));
    return true;
}

bool filter_build(const struct policy *policy, const struct policy_values *values, struct filter *out)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (ctx == NULL)
        return fail(-ENOMEM);
    bool built = compile(ctx, policy, values) && export(ctx, out);
    int error = errno;
    seccomp_release(ctx);
    malloc_trim(0);
    errno = error;
    return built;
}

bool filter_load(const struct filter *filter)
{
    struct sock_fprog program = {.len = filter->length,
                                 .filter = (struct sock_filter *)(uintptr_t)filter->program};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}
