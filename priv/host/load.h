/*
 * Reading the networks' files, at start and again when told to.
 */
#ifndef METAWARD_PRIV_HOST_LOAD_H
#define METAWARD_PRIV_HOST_LOAD_H

/** Begin to read all files of the networks' directory; what they say is applied as it comes. */
void load_begin(void);

#endif
