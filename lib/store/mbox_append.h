/*
 * lib/store/mbox_append.h - append one mail to an mbox file, whole or not at all.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs).
 * Ownership: borrows everything during the call.
 * Errors:    MBOX_REFUSED: the file is none that may be written to (class CONFIG: for the admin); MBOX_FULL:
 *            it would pass the size limit (class PERM, EFBIG); MBOX_NONE: there is no such file, and none is to
 *            be made; MBOX_TROUBLE: everything else, try again later. In each case the file is as it was before.
 * Security:  no symbolic link is followed but one that root made in a directory that only root can write; no
 *            file with several names, of somebody else, that can be executed, or of another kind is written
 *            to. /dev/null is accepted and takes everything.
 * Standards: RFC 4155; Postfix's mailbox_delivery_lock; Debian policy 11.6: the kernel's locks, then NAME.lock, and
 *            never one held while the other is waited for.
 *
 * While a mail is appended FILE.append stands beside the file, where the directory or maillock allows it: the length
 * that the file had, the mail's own, and who it is. A process that was killed leaves it, and the next append, of any
 * mail, takes away what is there of that mail; or finds it whole, and when it is the same one, is done. So does
 * whoever reads the file as a mailbox (mbox_box.h).
 */
#ifndef STORE_MBOX_APPEND_H
#define STORE_MBOX_APPEND_H

#include <sys/types.h>

#include "lib/base/err.h"
#include "lib/base/sv.h"
#include "lib/store/spool.h"

enum mbox_lock { MBOX_LOCK_FCNTL = 1, MBOX_LOCK_FLOCK = 2, MBOX_LOCK_DOT = 4 };

/* The words of LIST ("fcntl, dotlock"), the value of parameter NAME, as enum mbox_lock. 0, or -1 with E (CONFIG). */
MUST_USE int mbox_locks_parse(const char *name, const char *list, unsigned *out, struct err *e);

struct mbox_rules {
	uid_t uid;          /* who must own the file; (uid_t)-1: whoever may write to it */
	int64_t size_limit; /* octets, 0: none */
	unsigned locks;     /* enum mbox_lock */
	unsigned attempts;  /* to get them, */
	int64_t pause_ms;   /* with so long in between: the product is the patience */
	int64_t stale_s;    /* age at which a dotlock is nobody's */
	const struct store_spool *spool; /* may be NULL */
	bool must_exist;
};

struct mbox_mail {
	struct sv head;  /* From_ line and fields */
	int fd;          /* content, LF line ends */
	uint64_t offset, size;
	uint64_t key[2]; /* who this mail is: the same in every try */
	/* of a delivery into a mailbox; else empty, and the rest is not used */
	struct sv fields;     /* lines put behind the From_ line; what looks like them in the mail is left out */
	const char *find_key; /* X-Merpati-Key of a mail that may be there; NULL: it cannot */
	int (*settle)(void *ctx, int fd, struct err *e); /* under the locks, before anything else: 0 or -1 */
	void *ctx;
};

enum mbox_result { MBOX_WRITTEN, MBOX_WRITTEN_BEFORE, MBOX_NONE, MBOX_FULL, MBOX_REFUSED, MBOX_TROUBLE };

/* PATH is absolute. E tells why for the last three. */
MUST_USE enum mbox_result mbox_append(const char *path, const struct mbox_rules *rules,
	const struct mbox_mail *mail, struct err *e);
/* The same for REL below ROOT: no symbolic link is followed below ROOT. */
MUST_USE enum mbox_result mbox_append_below(const char *root, const char *rel, const struct mbox_rules *rules,
	const struct mbox_mail *mail, struct err *e);

#endif
