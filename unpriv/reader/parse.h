/*
 * From the text of a configuration file to a reading.
 *
 * The language is HAProxy's, the subset what Neutron's agents have ever written for their metadata proxies: a
 * `global` section, `defaults`, with rate limits two `backend` sections that hold nothing but a table, and
 * one `listen listener`. Every directive is taken for what it means to metaward or refused; none is skipped.
 * Those that ask for what metaward always does (`mode http`, `option http-server-close`, `retries` ...) have
 * no further effect.
 *
 * Parsing ends with the first mistake. A file that was cut short is a mistake as well: without the end of its
 * last line, a listener, a server and the identity header, which stands last, it is refused.
 */
#ifndef METAWARD_UNPRIV_READER_PARSE_H
#define METAWARD_UNPRIV_READER_PARSE_H

#include "ipc/reading.h"

/**
 * Parse a whole file.
 *
 * @param text   `length` bytes, which are cut up on the way
 * @param length more than READING_FILE_MAX is a mistake, and then nothing is read
 * @param out    filled in completely; reading_valid() holds for it, whatever the text is
 */
void parse_file(char *text, size_t length, struct reading *out);

/**
 * Some of the instances of the file that was parsed last, without a mistake; its text must still be there.
 *
 * @param first below `total`
 * @param total what the reading says
 */
void parse_batch(uint32_t first, uint32_t total, struct instance_batch *out);

#endif
