/*
 * Filling in an answer, and not believing one. See host_reading.h.
 */
#include "ipc/host_reading.h"

#include "ipc/text.h"

#include <string.h>

/* No padding: every byte of an answer has a name and is checked. */
_Static_assert(sizeof(struct host_reading) == 4 * sizeof(uint32_t) + READING_WORD_SIZE + READING_REASON_SIZE +
                                                  sizeof(struct host_config),
               "an answer has no padding");

void host_reading_begin(struct host_reading *reading, const struct host_request *request)
{
    memset(reading, 0, sizeof(*reading));
    reading->version = HOST_READING_VERSION;
    reading->number = request->number;
    reading->kind = request->kind;
}

void host_reading_refuse(struct host_reading *reading, uint32_t line, const char *word, const char *reason)
{
    memset(reading->word, 0, sizeof(reading->word));
    memset(reading->reason, 0, sizeof(reading->reason));
    memset(&reading->body, 0, sizeof(reading->body));
    reading->ok = 0;
    reading->line = line;
    if (word != NULL)
        text_append_quoted(reading->word, sizeof(reading->word), 0, word);
    text_append(reading->reason, sizeof(reading->reason), 0, reason);
}

static bool body_valid(const struct host_reading *reading)
{
    const struct network_spec *network = &reading->body.network;
    const char *behind = (const char *)&reading->body + sizeof(*network);

    if (reading->kind == HOST_FILE_GLOBAL)
        return host_config_valid(&reading->body.host) == NULL;
    return network_spec_valid(network) == NULL && network->netns[0] != '\0' &&
           bytes_zero(behind, sizeof(reading->body) - sizeof(*network));
}

bool host_reading_valid(const struct host_reading *reading, const struct host_request *request)
{
    if (reading->version != HOST_READING_VERSION || reading->number != request->number ||
        reading->kind != request->kind || reading->ok > 1 ||
        !bytes_zero(reading->reserved, sizeof(reading->reserved)))
        return false;
    if (!text_stored_well(reading->word, sizeof(reading->word)) ||
        !text_stored_well(reading->reason, sizeof(reading->reason)))
        return false;
    if (reading->ok == 1)
        return reading->line == 0 && reading->word[0] == '\0' && reading->reason[0] == '\0' &&
               body_valid(reading);
    return reading->reason[0] != '\0' && bytes_zero(&reading->body, sizeof(reading->body));
}
