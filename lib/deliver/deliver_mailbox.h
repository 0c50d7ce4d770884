/*
 * lib/deliver/deliver_mailbox.h - write one recipient's mail into a mailbox and say how it went.
 *
 * Layer:     deliver (event loop).
 * Ownership: borrows everything during the call.
 * Errors:    whatever the store reports defers the mail, EIO and EACCES too: the disk is ours, the
 *            mail is somebody's. Only a decider may refuse for good, and the admin's size limits.
 * Security:  header values are cleaned: no address can add a header field of its own.
 */
#ifndef DELIVER_DELIVER_MAILBOX_H
#define DELIVER_DELIVER_MAILBOX_H

#include "lib/deliver/deliver.h"
#include "lib/store/store_save.h"

enum deliver_verdict {
	DELIVER_KEEP,     /* no opinion: the next decider, or the mailbox that was asked for */
	DELIVER_FOLDER,   /* .folder of the same account; INBOX when it does not exist */
	DELIVER_REDIRECT, /* not into this mailbox: to .address instead (the caller re-injects) */
	DELIVER_REJECT,   /* bounce with .dsn and .text */
};

struct deliver_decision {
	enum deliver_verdict verdict;
	struct sv folder;
	struct sv address;
	struct dsn_code dsn;
	struct sv text;
};

/* One opinion about a mail, asked in order until one is not KEEP. 0 with OUT, -1 defers with E. */
struct deliver_decider {
	const char *name;
	int (*decide)(void *ctx, const struct deliver_request *rq, size_t rcpt,
		struct deliver_decision *out, struct err *e);
	void *ctx;
};

struct deliver_mailbox {
	struct store *store;
	struct store_account_def account;
	struct sv delivered_to; /* Delivered-To value; empty: no such header */
	int64_t size_limit;     /* of one mail, 0: none; a larger one is refused */
	const struct mbox_rules *mbox; /* of an mbox file: its locks and size (lib/store/mbox_append.h); may be NULL */
	const struct deliver_decider *deciders;
	size_t ndeciders;
	bool maybe_before; /* look the delivery key up even if qmgr does not ask for it */
};

/*
 * Deliver the mail of recipient I. The caller makes the outcome a result with deliver_done().
 *   1  *out tells how it went
 *   0  a decider wants it at *REDIRECT instead
 */
MUST_USE int deliver_mailbox(struct deliver_request *rq, size_t i, const struct deliver_mailbox *m,
	struct deliver_outcome *out, struct sv *redirect);

#endif
