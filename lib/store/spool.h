/*
 * lib/store/spool.h - a directory of mailboxes in which their owners may not write: who does for them what they cannot.
 *
 * Layer:     store (the calls block: they run inside offload jobs).
 * Ownership: the operations are the caller's of store_new(), and live as long as the store.
 * Errors:    as at each call; what cannot be done now is -1 with E, never passed over.
 * Security:  see maillock(8): it serves each user for his own mailbox only.
 *
 * /var/mail belongs to root and group mail. A process of a user can write into his mailbox there, but it can neither
 * make NAME.lock nor a missing mailbox nor the note that tells, after a kill, how long the mailbox was.
 */
#ifndef STORE_SPOOL_H
#define STORE_SPOOL_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

/* An append that is under way: what NAME.append tells of it. */
struct store_note {
	uint64_t length; /* of the file before */
	uint64_t total;  /* octets that are appended */
	uint64_t key[2]; /* which mail it is */
	uint64_t from_len, from_hash; /* its From_ line */
};

#define STORE_NOTE_NUMBERS 6
#define STORE_NOTE_MAX     200 /* octets of its text: one line */

/* Append its text. 0 or -1. */
int store_note_format(struct buf *out, const struct store_note *n);
/* False: it was cut short, so that nothing of the mail was written yet; or it is none. */
bool store_note_parse(struct sv text, struct store_note *out);
uint64_t store_note_hash(struct sv from);

struct store_spool {
	const char *dir; /* absolute, without a '/' at its end */
	/* NAME.lock. 1 ours, 0 somebody else's, -1. */
	int (*lock)(void *ctx, const char *name, struct err *e);
	void (*unlock)(void *ctx, const char *name);
	/* NAME, for its owner, when it is missing. 1 it is there, -1. */
	int (*make)(void *ctx, const char *name, struct err *e);
	/* NAME.append, under a lock, this one or the kernel's: the numbers of struct store_note in their order; NULL:
	 * remove it. 1, -1. */
	int (*note)(void *ctx, const char *name, const uint64_t *numbers, struct err *e);
	void *ctx;
};

/* S, when this process needs it for what is in DIR, whose path is PATH; else NULL. */
const struct store_spool *spool_needed(const struct store_spool *s, int dir, const char *path);

#endif
