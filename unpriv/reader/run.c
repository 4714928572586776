/*
 * The reader's few steps. See run.h.
 */
#include "unpriv/reader/run.h"

#include "ipc/steps.h"
#include "policy/descriptors.h"
#include "policy/filter.h"
#include "policy/inventory.h"
#include "policy/lockdown.h"
#include "unpriv/reader/files.h"
#include "unpriv/reader/parse.h"

#include <sys/socket.h>
#include <unistd.h>

/* Do files follow over the channel? Then the channel stands in the file's place as well. */
static bool files_follow(void)
{
    uint64_t file, channel; /* each socket has a number of its own */
    socklen_t length = sizeof(file);
    return getsockopt(READER_FILE_FD, SOL_SOCKET, SO_COOKIE, &file, &length) == 0 &&
           getsockopt(READER_ANSWER_FD, SOL_SOCKET, SO_COOKIE, &channel, &length) == 0 && file == channel;
}

static int confine(bool follow)
{
    const struct descriptor expected[] = {{READER_FILE_FD, follow ? KIND_CHANNEL : KIND_NO_SOCKET},
                                          {READER_ANSWER_FD, KIND_CHANNEL},
                                          {STDERR_FILENO, KIND_NO_SOCKET}};
    if (!inventory_exact(expected, sizeof(expected) / sizeof(expected[0])))
        return STEP_INVENTORY;
    if (!confine_not_dumpable() || !confine_no_new_privs())
        return STEP_NO_NEW_PRIVS;
    return filter_load(follow ? POLICY_READER_HOST : POLICY_READER, NULL) ? 0 : STEP_FILTER;
}

/* Up to the end of the file, or one byte more than a file may have. */
static bool read_all(char *text, size_t *length)
{
    ssize_t more = 1;

    for (*length = 0; more > 0 && *length <= READING_FILE_MAX; *length += more > 0 ? (size_t)more : 0)
        more = read(READER_FILE_FD, text + *length, READING_FILE_MAX + 1 - *length);
    return more >= 0;
}

/* Waits for room, for as long as the parent lets it live: thousands of instances don't fit at once. */
static bool tell(const void *message, size_t length)
{
    return sendto(READER_ANSWER_FD, message, length, MSG_NOSIGNAL, NULL, 0) == (ssize_t)length;
}

int reader_run(void)
{
    static char text[READING_FILE_MAX + 1];
    static struct reading reading;
    static struct instance_batch batch;
    size_t length;

    const bool follow = files_follow();
    int step = confine(follow);
    if (step != 0)
        return step;
    if (follow)
        return files_serve();
    if (!read_all(text, &length))
        return STEP_CONFIGURATION;
    parse_file(text, length, &reading);
    bool told = tell(&reading, sizeof(reading));
    for (uint32_t first = 0; told && first < reading.instances; first += batch.count) {
        parse_batch(first, reading.instances, &batch);
        told = tell(&batch, sizeof(batch));
    }
    return told ? 0 : STEP_CHANNEL;
}
