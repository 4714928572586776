/*
 * Listing and sorting. See directory.h.
 */
#include "policy/directory.h"

#include "ipc/text.h"

#include <dirent.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const struct directory_name *directory_at(const struct directory *directory, uint32_t i)
{
    return &directory->names[directory->order[i]];
}

static void store(struct directory_name *out, const char *name)
{
    memset(out, 0, sizeof(*out));
    out->odd = !text_is_name(name, DIRECTORY_NAME_SIZE - 1);
    text_append(out->text, sizeof(out->text), 0, name);
    for (char *at = out->text; *at != '\0'; at++) {
        const char one[] = {*at, '\0'};
        if (!text_is_name(one, 1) && *at != '.' && *at != '-')
            *at = '?';
    }
}

/* Into its place among those that are there. */
static void add(struct directory *directory, const char *name)
{
    uint32_t low = 0, high = directory->count;
    if (directory->count == DIRECTORY_NAMES_MAX) {
        directory->left_out++;
        return;
    }
    struct directory_name *own = &directory->names[directory->count];
    store(own, name);
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (strcmp(directory_at(directory, middle)->text, own->text) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(&directory->order[low + 1], &directory->order[low],
            (directory->count - low) * sizeof(directory->order[0]));
    directory->order[low] = (uint16_t)directory->count++;
}

static bool wanted(const char *name, const char *suffix)
{
    const size_t length = strlen(name), end = strlen(suffix);
    return name[0] != '.' && length > end && strcmp(name + length - end, suffix) == 0;
}

bool directory_list(int fd, const char *suffix, struct directory *out)
{
    _Alignas(struct dirent64) char entries[4096];
    long length;
    out->count = 0;
    out->left_out = 0;
    while ((length = syscall(SYS_getdents64, fd, entries, sizeof(entries))) > 0) {
        for (long at = 0; at < length;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            if (wanted(entry->d_name, suffix))
                add(out, entry->d_name);
            at += entry->d_reclen;
        }
    }
    return length == 0;
}
