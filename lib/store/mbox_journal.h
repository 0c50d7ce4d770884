/*
 * lib/store/mbox_journal.h - the end of an mbox file replaced in place, so that a kill or a full disk leaves the old
 * or the new content.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs, under both locks of the mailbox).
 * Ownership: begin .. end; after seal the change happens, if not now then by whoever opens the mailbox next.
 * Errors:    0 or -1 with E.
 * Security:  the journal lies in a directory of the user; one of another file, a damaged one, or one whose mailbox
 *            holds what is neither the old nor the new content (other software wrote) is set aside, not applied.
 *
 * The journal holds the old and the new octets behind .from. What others appended after a crash stays behind them.
 *
 *     begin -> put ... -> seal (durable) -> apply (file durable, journal removed) -> end
 */
#ifndef STORE_MBOX_JOURNAL_H
#define STORE_MBOX_JOURNAL_H

#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define MBOX_JOURNAL_NAME_MAX 40

struct mbox_journal {
	int dir;
	const char *path; /* of DIR, for messages: the caller's */
	char name[MBOX_JOURNAL_NAME_MAX + 1];
	int fd;
	int mbox;
	uint64_t dev, ino, from, old_len, new_len;
	uint32_t crc;
	char last[2]; /* newest octets of the new content, or those before .from; '\0' at the start of the file */
	struct buf out;
};

/* NAME: of the mailbox's journal in DIR. Behind FROM the file MBOX will be other. Copies the old octets. */
MUST_USE int mbox_journal_begin(struct mbox_journal *j, int dir, const char *path, const char *name, int mbox,
	uint64_t from, struct err *e);
MUST_USE int mbox_journal_put(struct mbox_journal *j, struct sv octets, struct err *e);
MUST_USE int mbox_journal_seal(struct mbox_journal *j, struct err *e);
MUST_USE int mbox_journal_apply(struct mbox_journal *j, struct err *e);
/* Instead of apply: the change shall not happen. */
void mbox_journal_cancel(const struct mbox_journal *j);
/* Close; what was not sealed is gone. */
void mbox_journal_end(struct mbox_journal *j);

/* Is there one? 1, 0, -1. */
MUST_USE int mbox_journal_exists(int dir, const char *path, const char *name, struct err *e);
/* Finish what a crash left. 0 or -1. */
MUST_USE int mbox_journal_recover(int dir, const char *path, const char *name, int mbox, struct err *e);

#endif
