/*
 * The reader: one configuration file in, one struct reading out, and a host's instances. Or one file of the
 * host daemon after another (files.h).
 *
 * The file is at READER_FILE_FD and a socket (SOCK_SEQPACKET) at READER_ANSWER_FD; the socket is at the first
 * one too where files follow over it. The filter stands before the first byte is read.
 */
#ifndef METAWARD_UNPRIV_READER_RUN_H
#define METAWARD_UNPRIV_READER_RUN_H

/**
 * Read, answer, and be done.
 *
 * @return an exit status: 0 where all was sent, whatever it says, and else the step that failed
 */
int reader_run(void);

#endif
