/*
 * A poll() loop around the files. See host_load.h.
 */
#include "policy/host_load.h"

#include "ipc/clock.h"
#include "ipc/report.h"
#include "ipc/steps.h"
#include "policy/power.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

void host_reading_show(const char *file, const struct host_reading *reading)
{
    char line[16] = "";
    if (reading->line != 0)
        snprintf(line, sizeof(line), ":%u", reading->line);
    dprintf(STDERR_FILENO, "%s%s: %s%s%s\n", file, line, reading->word, reading->word[0] != '\0' ? ": " : "",
            reading->reason);
}

/* Until this reader has done what it can. */
static enum host_files_progress drive(struct host_files *files, int channel)
{
    enum host_files_progress progress = host_files_reader(files, channel);
    while (progress == HOST_FILES_WAIT) {
        struct pollfd polled = {.fd = channel, .events = POLLIN};
        int64_t left = files->due - clock_now();
        int ready = poll(&polled, 1, left > 0 ? (int)left : 0);
        progress = ready > 0 ? host_files_receive(files) : host_files_due(files, clock_now());
    }
    return progress;
}

int host_files_run(struct host_files *files)
{
    enum host_files_progress progress = HOST_FILES_READER;
    if (geteuid() != 0) /* a reader's power can't be taken from it */
        return report_failed(STEP_PRIVILEGE, EPERM, "");
    while (progress == HOST_FILES_READER) {
        struct reader_process reader;
        int status;
        int step = power_reader_start(&reader);
        if (step != 0)
            return step;
        progress = drive(files, reader.channel);
        step = power_reader_end(&reader, &status);
        if (step != 0)
            return step;
        if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
            return reader_failed(status, 0);
    }
    return progress == HOST_FILES_DONE ? 0 : report_failed(STEP_READER, ECHILD, "reader");
}

static struct host_reading global;

static bool keep_global(struct host_files *files, const struct host_reading *reading)
{
    (void)files;
    global = *reading;
    return false;
}

int host_config_load(const char *path, struct host_config *out)
{
    static const struct host_files_sink sink = {.global = keep_global};
    struct host_files files;
    host_files_begin(&files, &sink, path);
    int step = host_files_run(&files);
    if (step != 0)
        return step;
    if (!global.ok) {
        host_reading_show(path, &global);
        return STEP_CONFIGURATION;
    }
    *out = global.body.host;
    return 0;
}
