/*
 * See load.h.
 */
#include "priv/host/load.h"

#include "ipc/report.h"
#include "ipc/text.h"
#include "policy/host_load.h"
#include "priv/host/networks.h"

#include <stdio.h>

static struct host_files files;
static uint32_t loads;
static char error[NETWORKS_DETAIL_SIZE];

static void describe(const struct host_reading *reading, char out[NETWORKS_DETAIL_SIZE])
{
    char line[16] = "";
    if (reading->line != 0)
        snprintf(line, sizeof(line), "%u: ", reading->line);
    size_t at = text_append(out, NETWORKS_DETAIL_SIZE, 0, line);
    at = text_append(out, NETWORKS_DETAIL_SIZE, at, reading->word);
    at = text_append(out, NETWORKS_DETAIL_SIZE, at, reading->word[0] != '\0' ? ": " : "");
    text_append(out, NETWORKS_DETAIL_SIZE, at, reading->reason);
}

static void take_network(struct host_files *source, const char *name, const struct host_reading *reading)
{
    char detail[NETWORKS_DETAIL_SIZE];
    const char *why = NULL;
    (void)source;
    describe(reading, detail);
    if (reading->ok && networks_add(&reading->body.network, -1, ORIGIN_FILE, name, &why) != NETWORKS_NONE)
        return;
    if (why != NULL)
        text_append(detail, sizeof(detail), 0, why);
    report_event("event=network-failed file=%s line=%u word=%s reason=\"%s\"", name, reading->line,
                 reading->word[0] != '\0' ? reading->word : "-", why != NULL ? why : reading->reason);
    if (name[0] == '/') /* it is about the directory */
        text_append(error, sizeof(error), 0, detail);
    else
        networks_bad_file(name, detail);
}

static const struct host_files_sink sink = {.network = take_network};

/* The networks of files that are no more go, unless nobody could look. */
static void finish(void)
{
    uint32_t removed = error[0] == '\0' ? networks_loaded() : 0;
    loads++;
    report_event("event=loaded serving=%u waiting=%u failed=%u removed=%u", networks_count(NETWORK_SERVING),
                 networks_count(NETWORK_WAITING), networks_count(NETWORK_FAILED), removed);
}

int load_first(const char *file, const struct host_config *config)
{
    (void)file;
    networks_loading();
    host_files_begin_networks(&files, &sink, config);
    int step = host_files_run(&files);
    if (step == 0)
        finish();
    return step;
}

uint32_t load_count(void)
{
    return loads;
}

const char *load_error(void)
{
    return error;
}
