/*
 * Each file by itself, and then each network beside the others. See check.h.
 */
#include "priv/host/check.h"

#include "ipc/steps.h"
#include "policy/host_load.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct checked {
    char file[DIRECTORY_NAME_SIZE];
    struct network_spec spec;
};

static struct {
    const char *path;
    char directory[CONFIG_PATH_SIZE];
    uint32_t most; /* networks */
    uint32_t count;
    bool wrong;
    struct checked networks[DIRECTORY_NAMES_MAX]; /* touched only as far as there are networks */
} check;

static bool any_listener_shared(const struct network_spec *one, const struct network_spec *other)
{
    for (unsigned i = 0; i < one->listener_count; i++) {
        for (unsigned j = 0; j < other->listener_count; j++) {
            if (memcmp(&one->listeners[i], &other->listeners[j], sizeof(one->listeners[i])) == 0)
                return true;
        }
    }
    return false;
}

/* The first network that this one can't be beside, and why; NULL: none. */
static const struct checked *rival(const struct network_spec *spec, const char **why)
{
    for (uint32_t i = 0; i < check.count; i++) {
        const struct checked *other = &check.networks[i];
        *why = "the same network";
        if (strcasecmp(spec->network.uuid, other->spec.network.uuid) == 0)
            return other;
        *why = "the same address in the same namespace";
        if (strcmp(spec->netns, other->spec.netns) == 0 && any_listener_shared(spec, &other->spec))
            return other;
    }
    return NULL;
}

static void complain(const char *file, const char *what, const char *other)
{
    check.wrong = true;
    dprintf(STDERR_FILENO, "%s/%s: %s%s%s\n", check.directory, file, what, other[0] != '\0' ? " as " : "",
            other);
}

static bool take_global(struct host_files *files, const struct host_reading *reading)
{
    (void)files;
    check.wrong = !reading->ok;
    if (check.wrong) {
        host_reading_show(check.path, reading);
        return false;
    }
    check.most = reading->body.host.max_networks;
    memcpy(check.directory, reading->body.host.networks_directory, sizeof(check.directory));
    return true;
}

static void take_network(struct host_files *files, const char *name, const struct host_reading *reading)
{
    char path[CONFIG_PATH_SIZE + DIRECTORY_NAME_SIZE + 1];
    const char *why = NULL;
    (void)files;
    if (!reading->ok) {
        snprintf(path, sizeof(path), "%s/%s", check.directory, name);
        host_reading_show(name[0] == '/' ? name : path, reading);
        check.wrong = true;
        return;
    }
    const struct checked *other = rival(&reading->body.network, &why);
    if (other != NULL || check.count == check.most) {
        complain(name, other != NULL ? why : "more networks than max_networks",
                 other != NULL ? other->file : "");
        return;
    }
    struct checked *own = &check.networks[check.count++];
    snprintf(own->file, sizeof(own->file), "%s", name);
    own->spec = reading->body.network;
}

int host_check(const char *path)
{
    static const struct host_files_sink sink = {take_global, take_network};
    struct host_files files;
    check.path = path;
    host_files_begin(&files, &sink, path);
    int step = host_files_run(&files);
    if (step != 0 || check.wrong)
        return step != 0 ? step : STEP_CONFIGURATION;
    return dprintf(STDOUT_FILENO, "configuration is good, networks: %u\n", check.count) > 0
               ? 0
               : STEP_CONFIGURATION;
}
