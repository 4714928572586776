/*
 * One file through a reader. See reading.h.
 */
#include "priv/reading.h"

#include "ipc/answer.h"
#include "ipc/report.h"
#include "ipc/steps.h"
#include "policy/reader_process.h"
#include "policy/trusted.h"

#include <errno.h>
#include <unistd.h>

#define READER_MOST_MS 5000

int reading_fetch(const char *path, struct reading *out)
{
    struct reader_process reader;
    int status;
    uid_t writer;
    int file = trusted_regular(path, READING_FILE_MAX, &writer);
    if (file < 0)
        return report_failed(STEP_CONFIGURATION, errno, path);
    int step = reader_start(file, &reader);
    close(file);
    if (step != 0)
        return step;
    bool received = answer_await(reader.channel, READER_MOST_MS, out);
    int error = errno;
    out->config.writer = writer;
    step = reader_end(&reader, &status);
    if (step != 0)
        return step;
    return received ? 0 : reader_failed(status, error);
}
