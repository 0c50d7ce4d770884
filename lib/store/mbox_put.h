/*
 * lib/store/mbox_put.h - the octets of a mail as it will stand in an mbox file; private to lib/store.
 *
 * Layer:     store (blocking system calls).
 * Errors:    0, or -1 with E.
 * Security:  no line of the mail can be taken for the start of another one. In a mailbox (.fields) no field of the
 *            mail can be taken for one that tells UIDs, flags or lengths.
 */
#ifndef STORE_MBOX_PUT_H
#define STORE_MBOX_PUT_H

#include "lib/store/mbox_append.h"

/* BEFORE, the mail, the empty line behind it, appended to FD (-1: only counted). *TOTAL octets. PATH: for messages. */
MUST_USE int mbox_put(int fd, const struct mbox_mail *mail, struct sv before, uint64_t *total, const char *path,
	struct err *e);

#endif
