/*
 * Line by line through a file. See parse.h.
 */
#include "unpriv/reader/parse.h"

#include "unpriv/reader/directive.h"
#include "unpriv/reader/hostproxy.h"

#include <string.h>

/* The last line of the file that was taken well; what was wrong with the next one is in `out`. */
static bool take_lines(struct directives *state, char *text, size_t length, struct reading *out)
{
    struct words words;

    state->line = 1;
    for (char *at = text, *end; at < text + length; at = end + 1, state->line++) {
        end = memchr(at, '\n', (size_t)(text + length - at));
        if (end == NULL) {
            reading_refuse(out, state->line, NULL, "the file ends within a line");
            return false;
        }
        const char *reason = words_cut(at, (size_t)(end - at), &words);
        unsigned wrong = words.count - 1;
        if (reason == NULL && words.count > 0) {
            reason = directive_take(state, &words);
            wrong = state->wrong;
        }
        if (reason != NULL) {
            reading_refuse(out, state->line, words.word[wrong], reason);
            return false;
        }
    }
    return true;
}

void parse_file(char *text, size_t length, struct reading *out)
{
    struct directives state;
    struct place at;
    char error[CONFIG_ERROR_SIZE];

    memset(&state, 0, sizeof(state));
    config_default(&state.config);
    hostproxy_begin();
    if (length > READING_FILE_MAX) {
        reading_refuse(out, 0, NULL, "the file is larger than 16 MiB");
        return;
    }
    if (!take_lines(&state, text, length, out))
        return;
    const char *missing = directive_missing(&state, &at);
    if (missing != NULL) {
        reading_refuse(out, at.line, at.word, missing);
        return;
    }
    if (!state.logged)
        state.config.worker.log_target = LOG_TO_NONE;
    if (!state.requests_logged)
        state.config.worker.log_level = LOG_LEVEL_EVENTS;
    if (!config_finish(&state.config, error)) {
        reading_refuse(out, 0, NULL, error);
        return;
    }
    reading_begin(out);
    out->ok = 1;
    memcpy(&out->config, &state.config, sizeof(out->config));
    out->config.given = 0;
    out->instances = hostproxy_count();
}

void parse_batch(uint32_t first, uint32_t total, struct instance_batch *out)
{
    memset(out, 0, sizeof(*out));
    out->total = total;
    out->first = first;
    while (out->count < INSTANCE_BATCH && first + out->count < total) {
        hostproxy_instance(first + out->count, &out->entry[out->count]);
        out->count++;
    }
}
