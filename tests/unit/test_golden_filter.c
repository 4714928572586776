/*
 * The compiled filters, instruction by instruction, compared with those that were last reviewed.
 *
 * A change of a policy, or of what makes programs of it, shows in the review of tests/unit/golden/. The files
 * are of x86-64 and of the libseccomp that their first line names; with another one the comparison says
 * nothing and is left out. After an intended change, in the build directory:
 *
 *     METAWARD_GOLDEN=../tests/unit/golden METAWARD_GOLDEN_WRITE=1 tests/unit/test_golden_filter
 */
#include "policy/filter.h"
#include "tests/unit/unit.h"

#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MOST 128

/* Stand for the address and length that are known at run time only. */
static const struct policy_values values = {(const void *)0x1122334455667788, 99, 77};

static FILE *open_golden(enum policy_role role, const char *mode)
{
    static const char *const names[] = {
#define ROLE(id, name) #name,
        METAWARD_ROLES(ROLE)
#undef ROLE
    };
    char path[512];
    const char *folder = getenv("METAWARD_GOLDEN");
    snprintf(path, sizeof(path), "%s/%s.bpf", folder != NULL ? folder : "tests/unit/golden", names[role]);
    FILE *file = fopen(path, mode);
    if (file == NULL)
        fail_msg("%s can't be opened", path);
    return file;
}

static void write_first(char line[LINE_MOST])
{
    const struct scmp_version *version = seccomp_version();
    snprintf(line, LINE_MOST, "# x86-64, libseccomp %u.%u.%u; made by tests/unit/test_golden_filter.c\n",
             version->major, version->minor, version->micro);
}

static void write_instruction(char line[LINE_MOST], unsigned number, const struct sock_filter *instruction)
{
    snprintf(line, LINE_MOST, "%4u: 0x%02x %3u %3u 0x%08x\n", number, instruction->code, instruction->jt,
             instruction->jf, instruction->k);
}

static void renew(enum policy_role role, const struct filter *filter)
{
    char line[LINE_MOST];
    FILE *file = open_golden(role, "w");
    write_first(line);
    fputs(line, file);
    for (unsigned i = 0; i < filter->length; i++) {
        write_instruction(line, i, &filter->program[i]);
        fputs(line, file);
    }
    assert_int_equal(fclose(file), 0);
}

static void compare(enum policy_role role, const struct filter *filter)
{
    char wanted[LINE_MOST], found[LINE_MOST];
    FILE *file = open_golden(role, "r");
    assert_non_null(fgets(wanted, sizeof(wanted), file));
    write_first(found);
    if (strcmp(wanted, found) != 0) {
        fclose(file);
        print_message("left out: made with %s", wanted);
        skip();
    }
    for (unsigned i = 0; i < filter->length; i++) {
        assert_non_null(fgets(wanted, sizeof(wanted), file));
        write_instruction(found, i, &filter->program[i]);
        assert_string_equal(found, wanted);
    }
    assert_null(fgets(wanted, sizeof(wanted), file));
    fclose(file);
}

static void judge(enum policy_role role)
{
    static struct filter filter;
#if defined(METAWARD_SANITIZED) || !defined(__x86_64__)
    skip();
#endif
    filter_prepare(role, &values, &filter);
    if (getenv("METAWARD_GOLDEN_WRITE") != NULL)
        renew(role, &filter);
    else
        compare(role, &filter);
}

#define ROLE(id, name)                                                                                       \
    static void name##_is_the_reviewed_one(void **state)                                                     \
    {                                                                                                        \
        (void)state;                                                                                         \
        judge(POLICY_##id);                                                                                  \
    }
METAWARD_ROLES(ROLE)
#undef ROLE

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define ROLE(id, name) cmocka_unit_test(name##_is_the_reviewed_one),
        METAWARD_ROLES(ROLE)
#undef ROLE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
