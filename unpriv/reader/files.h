/*
 * The reader of the host daemon's files: one request with one file, one answer, until the parent has no more.
 */
#ifndef METAWARD_UNPRIV_READER_FILES_H
#define METAWARD_UNPRIV_READER_FILES_H

/**
 * Serve requests (ipc/host_reading.h) that come over READER_ANSWER_FD, under POLICY_READER_HOST. The files
 * come to stand at READER_NEXT_FD.
 *
 * @return 0 where the parent has closed its end, else the step that failed
 */
int files_serve(void);

#endif
