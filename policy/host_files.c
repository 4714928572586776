/*
 * Which file is next, and what becomes of it. See host_files.h.
 */
#include "policy/host_files.h"

#include "ipc/clock.h"
#include "ipc/packet.h"
#include "ipc/steps.h"
#include "ipc/text.h"
#include "policy/trusted.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".conf"

/* Too large for a stack, and never needed twice at one time. */
static struct directory names;
static struct host_reading reading;

void host_files_begin(struct host_files *files, const struct host_files_sink *sink, const char *path)
{
    memset(files, 0, sizeof(*files));
    files->sink = sink;
    files->global = path;
    files->channel = -1;
}

static void take_host(struct host_files *files, const struct host_config *host)
{
    files->request.defaults = host->defaults;
    memcpy(files->directory, host->networks_directory, sizeof(files->directory));
}

void host_files_begin_networks(struct host_files *files, const struct host_files_sink *sink,
                               const struct host_config *host)
{
    host_files_begin(files, sink, NULL);
    take_host(files, host);
}

/* Why a file could not be opened, to be shown behind its name. */
static void refuse_errno(int error)
{
    static const char unknown[] = "can't be opened: ";
    char reason[READING_REASON_SIZE];
    const char *known = error == ELOOP    ? "a symbolic link"
                        : error == EINVAL ? "not a regular file"
                        : error == EFBIG  ? "the file is larger than 64 KiB"
                        : error == EPERM  ? "belongs to somebody else than root, or others may write to it"
                                          : NULL;
    size_t at = text_append(reason, sizeof(reason), 0, known != NULL ? known : unknown);
    if (known == NULL)
        text_append(reason, sizeof(reason), at, errno_name(error));
    host_reading_refuse(&reading, 0, NULL, reason);
}

/* The current file's result goes to the sink, and the next one is current. @return false: no others */
static bool deliver(struct host_files *files)
{
    if (files->global == NULL) {
        files->sink->network(files, directory_at(&names, files->next++)->text, &reading);
        return true;
    }
    files->global = NULL;
    if (!files->sink->global(files, &reading) || !reading.ok)
        return false;
    take_host(files, &reading.body.host);
    return true;
}

/* What is wrong with the directory as a whole. */
static void deliver_directory(struct host_files *files)
{
    files->sink->network(files, files->directory, &reading);
}

/* The directory is listed once, when its first file is wanted. */
static void list(struct host_files *files)
{
    int fd = trusted_directory(files->directory);
    files->listed = true;
    names.count = 0;
    names.left_out = 0;
    if (fd < 0 || !directory_list(fd, SUFFIX, &names)) {
        refuse_errno(errno);
        deliver_directory(files);
    }
    if (fd >= 0)
        close(fd);
    if (names.left_out > 0) {
        host_reading_refuse(&reading, 0, NULL, "more than 16384 files; the others are not read");
        deliver_directory(files);
    }
}

/* Open the current file. @return -1 with the reason in `reading` */
static int open_current(struct host_files *files)
{
    char path[CONFIG_PATH_SIZE + DIRECTORY_NAME_SIZE];
    const char *file = files->global;
    if (file == NULL) {
        const struct directory_name *name = directory_at(&names, files->next);
        if (name->odd) {
            host_reading_refuse(
                &reading, 0, NULL,
                "its name is too long, or of other bytes than letters, digits, '.', '_' and '-'");
            return -1;
        }
        size_t at = text_append(path, sizeof(path), 0, files->directory);
        at = text_append(path, sizeof(path), at, at > 1 ? "/" : "");
        text_append(path, sizeof(path), at, name->text);
        file = path;
    }
    int fd = trusted_own(file, HOST_FILE_MAX);
    if (fd < 0)
        refuse_errno(errno);
    return fd;
}

/* Is there a current file? */
static bool any_left(struct host_files *files)
{
    if (files->global != NULL)
        return true;
    if (!files->listed) {
        files->request.kind = HOST_FILE_NETWORK;
        host_reading_begin(&reading, &files->request);
        list(files);
    }
    return files->next < names.count;
}

/* This reader is of no use any more. */
static enum host_files_progress drop_reader(struct host_files *files, const char *why)
{
    bool fresh = files->answers == 0;
    files->waiting = false;
    files->channel = -1;
    files->barren = fresh ? files->barren + 1 : 0;
    if (files->barren == HOST_FILES_BARREN)
        return HOST_FILES_FAILED;
    if (!fresh)
        return HOST_FILES_READER;
    host_reading_begin(&reading, &files->request);
    host_reading_refuse(&reading, 0, NULL, why);
    if (!deliver(files) || !any_left(files))
        return HOST_FILES_DONE;
    return HOST_FILES_READER;
}

/* Send the next file that can be opened. */
static enum host_files_progress go_on(struct host_files *files)
{
    while (any_left(files)) {
        files->request.version = HOST_READING_VERSION;
        files->request.kind = files->global != NULL ? HOST_FILE_GLOBAL : HOST_FILE_NETWORK;
        files->request.number++;
        host_reading_begin(&reading, &files->request);
        int fd = open_current(files);
        if (fd >= 0) {
            enum channel_result sent =
                packet_send(files->channel, &files->request, sizeof(files->request), &fd, 1);
            close(fd);
            if (sent != CHANNEL_OK)
                return drop_reader(files, "the reader takes nothing");
            files->waiting = true;
            files->due = clock_now() + HOST_FILES_ANSWER_MS;
            return HOST_FILES_WAIT;
        }
        if (!deliver(files))
            return HOST_FILES_DONE;
    }
    return HOST_FILES_DONE;
}

enum host_files_progress host_files_reader(struct host_files *files, int channel)
{
    files->channel = channel;
    files->answers = 0;
    return go_on(files);
}

enum host_files_progress host_files_receive(struct host_files *files)
{
    struct packet_beside beside;
    if (!files->waiting)
        return HOST_FILES_DONE;
    ssize_t length = packet_receive(files->channel, &reading, sizeof(reading), &beside);
    if (length < 0)
        return errno == EAGAIN ? HOST_FILES_WAIT : drop_reader(files, "the reader can't be heard");
    bool surplus = beside.count > 0 || beside.odd;
    packet_refuse(&beside);
    if (length == 0)
        return drop_reader(files, "the reader ended at this file");
    if (surplus || length != (ssize_t)sizeof(reading) || !host_reading_valid(&reading, &files->request))
        return drop_reader(files, "the reader says what no file leads to");
    files->waiting = false;
    files->answers++;
    files->barren = 0;
    return deliver(files) ? go_on(files) : HOST_FILES_DONE;
}

enum host_files_progress host_files_due(struct host_files *files, int64_t now)
{
    if (!files->waiting || now < files->due)
        return HOST_FILES_WAIT;
    return drop_reader(files, "the reader took too long");
}
