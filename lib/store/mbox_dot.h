/*
 * lib/store/mbox_dot.h - NAME.lock beside a mailbox file: by oneself, by maillock, or not at all.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs).
 * Ownership: mbox_dot_try() .. mbox_dot_drop() inside one job. The strings of struct mbox_dot_def are the caller's.
 * Errors:    1 taken; 0 somebody has it; -1 with E.
 * Security:  see dotlock.h, spool.h.
 *
 * Where the directory is not ours to write in and nobody does it for us there can be no such lock, and nobody expects
 * one: that is 1, too.
 */
#ifndef STORE_MBOX_DOT_H
#define STORE_MBOX_DOT_H

#include "lib/store/dotlock.h"
#include "lib/store/spool.h"

struct mbox_dot_def {
	int dir;
	const char *path; /* of DIR */
	const char *name; /* of the mailbox */
	const char *lock_name;
	int64_t stale_s;
	const struct store_spool *spool; /* spool_needed() */
};

struct mbox_dot {
	struct dotlock own;
	const struct store_spool *spool;
	const char *name;
	bool is_own; /* .own is held; else, with .name set, the spool's */
};

MUST_USE int mbox_dot_try(struct mbox_dot *d, const struct mbox_dot_def *def, struct err *e);
/* Nothing held: does nothing. */
void mbox_dot_drop(struct mbox_dot *d);

#endif
