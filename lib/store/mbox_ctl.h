/*
 * lib/store/mbox_ctl.h - the directory in which the store keeps what an mbox file cannot hold: states, journals,
 * the highest UIDVALIDITY, mails on their way.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs).
 * Ownership: mbox_ctl_open() .. mbox_ctl_close() inside one job.
 * Errors:    0 or -1 with E.
 */
#ifndef STORE_MBOX_CTL_H
#define STORE_MBOX_CTL_H

#include "lib/store/mbox_uids.h"

struct mbox_ctl {
	int dir;
	const char *path; /* the caller's */
	char state[48], journal[40]; /* names of one mailbox's files */
};

/* Of the mailbox REL below ROOT; makes the directory PATH. */
MUST_USE int mbox_ctl_open(const char *path, uid_t uid, const char *root, const char *rel, struct mbox_ctl *c,
	struct err *e);
void mbox_ctl_close(struct mbox_ctl *c);

/* A missing or damaged file is an empty state. */
MUST_USE int mbox_ctl_load(const struct mbox_ctl *c, struct mbox_state *s, struct err *e);
/* Durable. */
MUST_USE int mbox_ctl_save(const struct mbox_ctl *c, const struct mbox_state *s, struct err *e);
/* Forget the mailbox: it was deleted. */
void mbox_ctl_forget(const struct mbox_ctl *c);
/* A UIDVALIDITY above all that were given in this directory, durable. */
MUST_USE int mbox_ctl_uidvalidity(const struct mbox_ctl *c, int64_t timeout_ms, uint32_t *out, struct err *e);
/* A file without a name, to be read and written. The descriptor, or -1. */
MUST_USE int mbox_ctl_spool(const struct mbox_ctl *c, struct err *e);

#endif
