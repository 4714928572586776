/*
 * What the host daemon asks metaward-reader, and what it hears: one request with one file, one answer.
 *
 * A reader serves for one start or reload: the parent sends it one file after another, as a descriptor, and
 * sends the next one when the answer to the last has come. The reader keeps nothing from one file to the
 * next, so whatever a network needs of the global file, its defaults, travels with the request. As with a
 * single network's reading (reading.h), the parent parses nothing and believes nothing: an answer is of a
 * fixed size, and host_reading_valid() accepts only what a file can lead to.
 */
#ifndef METAWARD_IPC_HOST_READING_H
#define METAWARD_IPC_HOST_READING_H

#include "ipc/host_config.h"
#include "ipc/reading.h"

#define HOST_READING_VERSION 1U
#define HOST_FILE_MAX        65536U /* bytes of a file */

enum host_file {
    HOST_FILE_GLOBAL = 1, /* the file that --config names */
    HOST_FILE_NETWORK,    /* one of networks.d */
    HOST_FILE_COUNT
};

/* To the reader, with one descriptor. */
struct host_request {
    uint32_t version; /* HOST_READING_VERSION */
    uint32_t number;  /* of the request on this channel, from 1 */
    uint8_t kind;     /* enum host_file */
    uint8_t reserved[3];
    struct network_defaults defaults; /* for HOST_FILE_NETWORK; else all zero */
};

/* From the reader. */
struct host_reading {
    uint32_t version; /* as in the request, */
    uint32_t number;
    uint8_t kind;
    uint8_t ok; /* 1: `body` is whole; 0: it is all zero, and reason says why */
    uint8_t reserved[2];
    uint32_t line;                /* of the first mistake, from 1; 0: about the file as a whole, or none */
    char word[READING_WORD_SIZE]; /* what stands there, quoted and escaped, zero-filled; or empty */
    char reason[READING_REASON_SIZE]; /* printable ASCII, zero-filled; empty where ok */
    union {
        struct host_config host;     /* HOST_FILE_GLOBAL: host_config_finish() was called */
        struct network_spec network; /* HOST_FILE_NETWORK: with a namespace; all behind it is zero */
    } body;
};

/** Fill in an answer to a request that holds neither a body nor a mistake yet. */
void host_reading_begin(struct host_reading *reading, const struct host_request *request);

/**
 * Write down a mistake; the body is wiped.
 *
 * @param line   0 where it is about the file as a whole
 * @param word   what stands in the file, unchecked; NULL where there is none to show
 * @param reason what is wrong with it, printable, at most READING_REASON_SIZE - 1 bytes
 */
void host_reading_refuse(struct host_reading *reading, uint32_t line, const char *word, const char *reason);

/**
 * Is this an answer to the request that a file can lead to?
 *
 * Either a mistake, with texts that are fit to show and nothing else, or a whole body: host_config_valid(),
 * or network_spec_valid() with a namespace.
 *
 * @param reading sizeof(struct host_reading) bytes from wherever; the caller has compared the length
 */
bool host_reading_valid(const struct host_reading *reading, const struct host_request *request);

#endif
