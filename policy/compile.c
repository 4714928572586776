/*
 * Compiling. See compile.h.
 */
#include "policy/compile.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

static bool fail(int negative)
{
    errno = -negative;
    return false;
}

static uint64_t pin_value(const struct policy_pin *pin)
{
    if (pin->source == POLICY_ADDRESS)
        return COMPILE_ADDRESS;
    if (pin->source == POLICY_FAMILY)
        return COMPILE_FAMILY;
    return pin->source == POLICY_ADDRESS_LENGTH ? COMPILE_ADDRESS_LENGTH : pin->value;
}

static bool add_line(scmp_filter_ctx ctx, const struct policy_line *line)
{
    struct scmp_arg_cmp arguments[POLICY_PINS_MAX];
    for (unsigned i = 0; i < line->pin_count; i++) {
        const struct policy_pin *pin = &line->pins[i];
        arguments[i] = (struct scmp_arg_cmp){
            .arg = pin->argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = pin->mask, .datum_b = pin_value(pin)};
    }
    uint32_t action = line->action == POLICY_ALLOW ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint32_t)line->error);
    int rc = seccomp_rule_add_exact_array(ctx, action, line->number, line->pin_count, arguments);
    return rc == 0 ? true : fail(rc);
}

static bool add_all(scmp_filter_ctx ctx, const struct policy *policy)
{
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0)
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree instead of a list */
    if (rc != 0)
        return fail(rc);
    for (size_t i = 0; i < policy_length(policy); i++) {
        if (!add_line(ctx, policy_at(policy, i)))
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
    ssize_t size = rc == 0 ? pread(fd, out->program, sizeof(out->program), 0) : 0;
    int error = errno;
    close(fd);
    if (rc != 0 || size < 0)
        return fail(rc != 0 ? rc : -error);
    if ((size_t)size == sizeof(out->program) || (size_t)size % sizeof(struct sock_filter) != 0)
        return fail(-E2BIG);
    out->length = (uint16_t)((size_t)size / sizeof(struct sock_filter));
    return true;
}

bool compile_policy(const struct policy *policy, struct filter *out)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (ctx == NULL)
        return fail(-ENOMEM);
    bool built = add_all(ctx, policy) && export(ctx, out);
    int error = errno;
    seccomp_release(ctx);
    errno = error;
    return built;
}

unsigned compile_patches(const struct filter *filter, struct filter_patch *patches, unsigned most)
{
    static const uint32_t stand_ins[] = {[PLACE_ADDRESS_HIGH] = (uint32_t)(COMPILE_ADDRESS >> 32),
                                         [PLACE_ADDRESS_LOW] = (uint32_t)COMPILE_ADDRESS,
                                         [PLACE_ADDRESS_LENGTH] = COMPILE_ADDRESS_LENGTH,
                                         [PLACE_FAMILY] = COMPILE_FAMILY};
    unsigned count = 0;
    for (uint16_t i = 0; i < filter->length; i++) {
        for (unsigned place = 0; place <= PLACE_FAMILY; place++) {
            if (filter->program[i].k == stand_ins[place] && count < most)
                patches[count++] = (struct filter_patch){i, (uint16_t)place};
        }
    }
    return count;
}
