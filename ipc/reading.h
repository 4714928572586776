/*
 * What metaward-reader made of a configuration file: the message that it sends before it ends. Only behind
 * the configuration of a host's proxy more follow: its instances, in batches (instance.h).
 *
 * The reader is an unprivileged process that parses text; the parent acts on what it says and parses none. So
 * the answer is of a fixed size, and the parent believes nothing of it: reading_valid() accepts only what a
 * well-behaved reader can send. A reader that somebody took over can then choose between configurations that
 * a file could have asked for, and nothing else.
 */
#ifndef METAWARD_IPC_READING_H
#define METAWARD_IPC_READING_H

#include "ipc/config.h"
#include "ipc/instance.h"

#define READING_VERSION     2U
#define READING_FILE_MAX    16777216U /* bytes of a file; Neutron writes 800 for a guest of a host */
#define READING_WORD_SIZE   208       /* what text_append_quoted() makes of a word, and its NUL */
#define READING_REASON_SIZE CONFIG_ERROR_SIZE

struct reading {
    uint32_t version; /* READING_VERSION */
    uint32_t line;    /* of the first mistake, from 1; 0: about the file as a whole, or none */
    uint8_t ok;       /* 1: config is whole; 0: it is all zero, and reason says why */
    uint8_t reserved[3];
    uint32_t instances;               /* records that follow in batches; 0 unless config.host_proxy */
    char word[READING_WORD_SIZE];     /* what stands there, quoted and escaped, zero-filled; or empty */
    char reason[READING_REASON_SIZE]; /* printable ASCII, zero-filled; empty where ok */
    /* config_finish() was called already. `given` is zero: an option of the command line may set again what
     * the file set. The log target is LOG_TO_SYSLOG or, for a file without a log line, LOG_TO_NONE. */
    struct config config;
};

/** Fill in a reading that holds neither a configuration nor a mistake yet: version and zeros. */
void reading_begin(struct reading *reading);

/**
 * Write down a mistake; the configuration is wiped.
 *
 * @param line   0 where it is about the file as a whole
 * @param word   what stands in the file, unchecked; NULL where there is none to show
 * @param reason what is wrong with it, printable, at most READING_REASON_SIZE - 1 bytes
 */
void reading_refuse(struct reading *reading, uint32_t line, const char *word, const char *reason);

/**
 * Is this a reading that a file can lead to?
 *
 * Either a mistake, with texts that are fit to show and nothing else, or a whole configuration: every value
 * in its range, at least one listener, no listener twice, one identity, and every value that the files have
 * no directive for as config_default() and config_finish() make it (no namespace but the own one, the
 * standard limits). Whether accounts and paths exist or may be used is not looked at.
 *
 * @param reading sizeof(struct reading) bytes from wherever; the caller has compared the length
 */
bool reading_valid(const struct reading *reading);

#endif
