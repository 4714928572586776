/*
 * The host's proxy: `frontend public`, and a backend for each guest.
 *
 * Neutron's metadata_path extension writes three lines or blocks for an instance: an `acl` that names its
 * address, a `use_backend` that sends this address to a backend, and the backend, which names the instance.
 * Here they are collected as they come, in tables of fixed size that an ordinary file never touches. The
 * backends may stand before or behind the frontend, so whether all belongs together is found out at the end.
 * Each address must lead to one backend of its own, and all backends to the same server.
 */
#ifndef METAWARD_UNPRIV_READER_HOSTPROXY_H
#define METAWARD_UNPRIV_READER_HOSTPROXY_H

#include "ipc/instance.h"
#include "unpriv/reader/directive.h"

/** The directives of the two sections, HOSTPROXY_DIRECTIVES of them. */
extern const struct directive hostproxy_table[];
#define HOSTPROXY_DIRECTIVES 28

/** Forget what an earlier file has left. */
void hostproxy_begin(void);

/** `backend NAME`: the section of a guest starts. A taker as in struct directive. */
const char *hostproxy_take_backend(struct directives *state, const struct directive *directive,
                                   char *const *words);

/** Where it is kept which directives of the table the frontend, or the current backend, has had already. */
uint64_t *hostproxy_seen(enum section section);

/**
 * What is missing after the last line?
 *
 * @param at filled in where something is
 * @return NULL, or a constant string that says it
 */
const char *hostproxy_missing(struct directives *state, struct place *at);

/** How many guests there are, once nothing is missing. */
uint32_t hostproxy_count(void);

/** The record of guest number `number`, below hostproxy_count(); as long as the file's text is there. */
void hostproxy_instance(uint32_t number, struct instance *out);

#endif
