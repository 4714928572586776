/*
 * The files of the host daemon, one after another through a reader.
 *
 * Files are opened here, read by metaward-reader, and what comes back is checked (ipc/host_reading.h).
 * Nothing here waits: whoever calls has a loop, or is host_load.h. A reader is somebody else's as well: it
 * may be the caller's child or the nursery's. One that ends, says what no file leads to, or takes too long is
 * not asked again; the file is tried once more with a fresh reader, unless it was the first that this one
 * got: then the file has failed. So no file takes another one with it, whatever is in it.
 *
 * Under a filter this needs open() of a path to read (as openat() at AT_FDCWD), fstat() (as newfstatat()),
 * getdents64(), close(), and sendmsg() and recvmsg() as ipc/packet.h has them.
 */
#ifndef METAWARD_POLICY_HOST_FILES_H
#define METAWARD_POLICY_HOST_FILES_H

#include "ipc/host_reading.h"
#include "policy/directory.h"

#define HOST_FILES_ANSWER_MS 5000 /* for one answer */
#define HOST_FILES_BARREN    8    /* readers in a row without a single answer: something else is wrong */

enum host_files_progress {
    HOST_FILES_WAIT,   /* for an answer: host_files_receive(), or host_files_due() at its time */
    HOST_FILES_READER, /* the channel is of no use any more: close it, end the reader if it runs, start
                          another, and host_files_reader() */
    HOST_FILES_DONE,   /* all files are read; close the channel, and the reader ends */
    HOST_FILES_FAILED  /* no reader works; some files were not read. As above */
};

struct host_files;

/* Where the results go. What is not ok has a reason that is fit to show, also where no reader was asked. */
struct host_files_sink {
    /* The global file. @return false: the others are not wanted */
    bool (*global)(struct host_files *files, const struct host_reading *reading);
    /* A network's file; `name` is that in the directory, or the directory's path where it is about that. */
    void (*network)(struct host_files *files, const char *name, const struct host_reading *reading);
};

struct host_files {
    const struct host_files_sink *sink;
    /* for host_files.c alone */
    const char *global; /* path of the global file that is still to be read; else NULL */
    char directory[CONFIG_PATH_SIZE];
    bool listed;
    uint32_t next; /* number of the network's file that is read next */
    int channel;
    bool waiting;     /* for an answer to `request`, */
    int64_t due;      /* until then */
    uint32_t answers; /* of this reader */
    uint32_t barren;  /* readers in a row without an answer */
    struct host_request request;
};

/**
 * Begin with the global file; the directory that it names follows.
 *
 * @param path stays the caller's, and is good until the end
 */
void host_files_begin(struct host_files *files, const struct host_files_sink *sink, const char *path);

/** Begin with the networks' files. @param host the global configuration, good by host_config_valid() */
void host_files_begin_networks(struct host_files *files, const struct host_files_sink *sink,
                               const struct host_config *host);

/**
 * A fresh reader is there: send it the first file.
 *
 * @param channel SOCK_SEQPACKET to it, close-on-exec; stays the caller's
 */
enum host_files_progress host_files_reader(struct host_files *files, int channel);

/** Something has come over the channel, or it was closed. */
enum host_files_progress host_files_receive(struct host_files *files);

/** The time is over, as clock_now() counts; nothing happens where it is not. */
enum host_files_progress host_files_due(struct host_files *files, int64_t now);

#endif
