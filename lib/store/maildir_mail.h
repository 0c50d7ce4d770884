/*
 * lib/store/maildir_mail.h - work on single mails of a folder: facts, content, flags, removal, arrival.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs).
 * Errors:    1 done, 0 the mail (or folder) is gone, -1 with E.
 * Security:  files may vanish or be renamed by others at any time: each operation looks again once
 *            before it says "gone".
 */
#ifndef STORE_MAILDIR_MAIL_H
#define STORE_MAILDIR_MAIL_H

#include "lib/store/maildir_box.h"

/* Size and date; with VSIZE also the CRLF size, for which the file may have to be read. */
MUST_USE int maildir_mail_stat(struct maildir_box *b, const struct maildir_dir *d, uint32_t uid,
	bool vsize, struct err *e);
/* Open for reading. The table then knows .size and .vsize. */
MUST_USE int maildir_mail_open(
	struct maildir_box *b, const struct maildir_dir *d, uint32_t uid, int *fd, struct err *e);

struct mail_flag_change {
	enum store_flag_op op;
	uint32_t flags;
	uint32_t keywords;
};

MUST_USE int maildir_mail_flags(struct maildir_box *b, const struct maildir_dir *d, uint32_t uid,
	const struct mail_flag_change *c, struct err *e);
MUST_USE int maildir_mail_remove(
	struct maildir_box *b, const struct maildir_dir *d, uint32_t uid, struct err *e);

/* Letters for the keyword NAMES, new ones put in under the locks. MASK gets their bits.
 * 1, or -1 (PERM: no letter left, or a name that is no keyword). */
MUST_USE int maildir_keyword_mask(struct maildir_box *b, int root, const struct maildir_dir *d,
	const struct sv *names, size_t n, bool create, uint32_t *mask, struct err *e);

/* A file that comes into a folder's new/: its name there and the UID it got. */
struct mail_arrival {
	char name[MAILDIR_NAME_MAX + 1];
	uint32_t uid;
};

/*
 * Under the locks of B: give N files that are already in new/ (and synced) their UIDs and write these
 * down. 0, or -1: no UID was given; the caller removes the files.
 */
MUST_USE int maildir_arrive(struct maildir_box *b, const struct maildir_dir *d, struct mail_arrival *v,
	size_t n, struct err *e);
/* Take the locks of B and make sure that its uidlist is loaded. NULL with E; *RC 0: no such folder. */
MUST_USE struct box_lock *maildir_arrive_lock(
	struct maildir_box *b, int root, const struct maildir_dir *d, struct err *e);

#endif
