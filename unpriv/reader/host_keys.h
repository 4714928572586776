/*
 * The two files of the host daemon, taken for what they mean: the global one, and one of a network.
 *
 * Their keys are a table: section, name, what takes the value. Most are keys of the command line, which
 * ipc/config.h reads. docs/configuration.md describes them all.
 */
#ifndef METAWARD_UNPRIV_READER_HOST_KEYS_H
#define METAWARD_UNPRIV_READER_HOST_KEYS_H

#include "ipc/host_reading.h"

#include <stddef.h>

/**
 * Read a whole file as a request wants it.
 *
 * @param text   `length` bytes
 * @param length more than HOST_FILE_MAX is a mistake, and then nothing is read
 * @param out    filled in completely; host_reading_valid() holds for it, whatever the text is, as long as the
 *               request's defaults are valid
 */
void host_file_read(const char *text, size_t length, const struct host_request *request,
                    struct host_reading *out);

#endif
