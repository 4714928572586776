/*
 * The reader: one configuration file in, one struct reading out, and a host's instances behind it.
 *
 * The file is at READER_FILE_FD and a socket (SOCK_SEQPACKET) at READER_ANSWER_FD. The filter stands before
 * the first byte is read.
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
