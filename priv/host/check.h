/*
 * metawardd --config FILE --check: is every file good?
 */
#ifndef METAWARD_PRIV_HOST_CHECK_H
#define METAWARD_PRIV_HOST_CHECK_H

/**
 * Read the global file and all networks' files, and compare the networks with each other. A line on stderr
 * for each file that is not good, or one on stdout that says that all are.
 *
 * @return 0, STEP_CONFIGURATION where a file is not good, or the step that failed, reported
 */
int host_check(const char *path);

#endif
