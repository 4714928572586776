/*
 * Runs when metaward is built: writes the compiled policies and their text as C constants to stdout.
 *
 * The checks that must hold for every table are made here too, so a table that mixes a bare and a pinned line
 * does not even build.
 */
#include "policy/compile.h"
#include "policy/print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PATCHES_MAX 16

static void write_program(const struct policy *policy)
{
    static struct filter filter;
    struct filter_patch patches[PATCHES_MAX];
    if (policy_check(policy) != NULL) {
        fprintf(stderr, "policy %s: %s stands in it both bare and pinned, or twice\n", policy->name,
                policy_check(policy)->name);
        exit(1);
    }
    if (!compile_policy(policy, &filter)) {
        perror(policy->name);
        exit(1);
    }
    unsigned patch_count = compile_patches(&filter, patches, PATCHES_MAX);
    printf("static const struct sock_filter %s_program[] = {\n", policy->name);
    for (unsigned i = 0; i < filter.length; i++)
        printf("    {0x%02x, %u, %u, 0x%08x},\n", filter.program[i].code, filter.program[i].jt,
               filter.program[i].jf, filter.program[i].k);
    printf("};\n\nstatic const struct filter_patch %s_patches[] = {\n", policy->name);
    for (unsigned i = 0; i < patch_count; i++)
        printf("    {%u, %u},\n", patches[i].instruction, patches[i].place);
    printf("    {0, 0}, /* the end, not counted */\n};\n\n#define %s_SOURCE {%s_program, %s_patches, %u, "
           "%u}\n\n",
           policy->name, policy->name, policy->name, filter.length, patch_count);
}

static void write_text(const char *name, bool json)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (memory == NULL) {
        perror("open_memstream");
        exit(1);
    }
    policy_print(memory, json);
    fclose(memory);
    printf("const char %s[] =", name);
    for (size_t i = 0; i < size; i++) {
        if (i == 0 || text[i - 1] == '\n')
            printf("\n    \"");
        if (text[i] == '\n')
            printf("\\n\"");
        else
            printf("%s%c", text[i] == '"' || text[i] == '\\' ? "\\" : "", text[i]);
    }
    printf(";\n\n");
    free(text);
}

int main(void)
{
    printf("/*\n * Made by policy/generate.c from the tables in policy/. Not to be edited.\n */\n"
           "#include \"policy/filter.h\"\n\n");
    for (enum policy_role role = POLICY_PARENT; role < POLICY_ROLE_COUNT; role++)
        write_program(policy_of(role));
    printf("const struct filter_source filter_sources[POLICY_ROLE_COUNT] = {\n");
    for (enum policy_role role = POLICY_PARENT; role < POLICY_ROLE_COUNT; role++)
        printf("    %s_SOURCE,\n", policy_of(role)->name);
    printf("};\n\n");
    write_text("filter_text", false);
    write_text("filter_json", true);
    return ferror(stdout) != 0 || fflush(stdout) != 0 ? 1 : 0;
}
