/*
 * lib/store/mbox_box.h - one mbox file as a table of mails: what is in it, what shall be.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs, one job a box at a time).
 * Ownership: mbox_box_new() .. mbox_box_free(). A record lives until the next call that takes a box.
 * Errors:    1 done, 0 the mailbox (or the mail) does not exist any more, -1 with E.
 * Security:  see mbox_scan.h, mbox_uids.h, mbox_file.h. Ceilings: MBOX_MAILS_MAX, MBOX_SIZE_MAX.
 *
 * The file is read anew when its size, time or inode changed; when it has only grown, from its last mail on. A mail is
 * checked against what the table knows of it (hash, X-UID) whenever it is read or written: a table that turns out to
 * be old is made anew, and no mail is shown under the UID of another. doc/store.md.
 */
#ifndef STORE_MBOX_BOX_H
#define STORE_MBOX_BOX_H

#include <sys/stat.h>

#include "lib/store/mbox_ctl.h"
#include "lib/store/mbox_file.h"
#include "lib/store/mbox_uids.h"
#include "lib/store/store_save.h"

#define MBOX_SIZE_MAX (INT64_C(64) << 30)
#define MBOX_BLOCK    (128 * 1024)

struct mbox_box_def {
	struct mbox_place place;
	const char *ctl_path;
	uid_t ctl_uid; /* who must own that */
	bool writable; /* take \Recent */
	bool create;   /* the file, when it is missing: INBOX */
};

struct mbox_box {
	struct mbox_box_def def; /* its strings are the box's own */
	struct mbox_rec *recs;   /* in the order of the file */
	size_t n, cap;
	size_t *by_uid;          /* indexes of recs, by ascending .want.uid */
	struct mbox_rec pseudo;
	bool has_pseudo;
	struct mbox_base base;   /* as the file has it */
	struct keywords kw;
	bool kw_added;           /* since base was written */
	uint32_t *taken;         /* UIDs of mails that were \Recent and that this box took, ascending */
	size_t ntaken;
	struct mbox_state st;
	bool st_changed;         /* not on disk like this */
	bool loaded, lost;
	uint32_t shown_validity; /* 0: nothing was shown yet */
	struct stat seen;        /* of the file that the table was made from */
	bool fresh;              /* it was changed just before: times may not tell a change from the next */
};

/* Copies the strings of DEF. */
struct mbox_box *mbox_box_new(const struct mbox_box_def *def);
void mbox_box_free(struct mbox_box *b); /* NULL allowed */

/* Bring the table up to date with the disk. Every mail has a UID on disk afterwards. */
MUST_USE int mbox_box_sync(struct mbox_box *b, struct err *e);
/* NULL: no such mail. */
struct mbox_rec *mbox_box_find(struct mbox_box *b, uint32_t uid);

/* A mail that comes into the file. */
struct mbox_new {
	int fd;               /* SIZE octets at OFFSET ... */
	uint64_t offset, size;
	bool raw;             /* ... are a mail of an mbox file, From_ line and all; else a content */
	int64_t date;         /* of a content: for its From_ line */
	struct mbox_meta meta; /* .uid is filled in */
};

/* --- inside a job: the box with its files open -------------------------------------------------- */
struct mbox_io {
	struct mbox_box *b;
	struct mbox_ctl ctl;
	struct mbox_file f;
};

MUST_USE int mbox_io_open(struct mbox_io *io, struct mbox_box *b, struct err *e);
void mbox_io_close(struct mbox_io *io);
/* Take the lock HOW and bring the table up to date; ALL: read the whole file. An interrupted change is finished. */
MUST_USE int mbox_io_enter(struct mbox_io *io, enum mbox_access how, bool all, struct err *e);
/* Is there a mail, or the first mail's X-IMAPbase, that shall be other than it is? */
bool mbox_io_pending(const struct mbox_io *io);
/*
 * Under the write lock: make the file what the records want, and append N new mails, which get UIDs. All or nothing
 * of what moves octets; flags of the mails before may be written when the rest is not. 1 (the table may have got lost:
 * .loaded); 0 the table was old: enter again with ALL; -1.
 */
MUST_USE int mbox_io_commit(struct mbox_io *io, struct mbox_new *add, size_t nadd, struct err *e);
/* Take the write lock, finish an interrupted change. 1 or -1. */
MUST_USE int mbox_io_lock(struct mbox_io *io, struct err *e);
/* Read the file from record FIRST on (0: all of it). For commit. */
MUST_USE int mbox_io_scan(struct mbox_io *io, size_t first, struct err *e);
/* Remember what the file is like now. */
MUST_USE int mbox_io_stamp(struct mbox_io *io, struct err *e);
/* The state's list of mails, from the records, and what follows from their UIDs. */
void mbox_io_learn(struct mbox_io *io);

#endif
