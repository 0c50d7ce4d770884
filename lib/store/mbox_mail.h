/*
 * lib/store/mbox_mail.h - work on mails of an mbox file: content, flags, removal, arrival.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs).
 * Errors:    1 done, 0 the mail (or the mailbox) is gone, -1 with E: nothing was changed, or what was begun is
 *            finished later (mbox_journal.h).
 */
#ifndef STORE_MBOX_MAIL_H
#define STORE_MBOX_MAIL_H

#include "lib/store/mbox_box.h"

struct mail_copy;

/* The mail as a client sees it, in a file of its own. */
MUST_USE int mbox_mail_open(struct mbox_box *b, uint32_t uid, struct store_content *out, struct err *e);

/* Change flags of N mails; those that are gone are passed over. PERM: a keyword that cannot be. */
MUST_USE int mbox_mail_flags(struct mbox_box *b, const uint32_t *uids, size_t n, const struct store_flag_change *c,
	struct err *e);
/* Remove them. */
MUST_USE int mbox_mail_remove(struct mbox_box *b, const uint32_t *uids, size_t n, struct err *e);

/* A content of SIZE octets in FD at the end of B. */
MUST_USE int mbox_mail_append(struct mbox_box *b, int fd, uint64_t size, const struct store_append_meta *m,
	uint32_t *uid, struct err *e);
/* Copy the mails V[].from of FROM to the end of TO, all or none; V[].to 0 where one was gone. Both tables are those
 * of one account. */
MUST_USE int mbox_mail_copy(struct mbox_box *from, struct mbox_box *to, struct mail_copy *v, size_t n, struct err *e);

#endif
