/*
 * lib/store/maildir_copy.h - mails from one folder of an account into another.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs).
 * Errors:    1 done, 0 the target does not exist, -1 with E: the target is as it was.
 *
 * A copy is a hard link where the file system allows it: mail files never change.
 */
#ifndef STORE_MAILDIR_COPY_H
#define STORE_MAILDIR_COPY_H

#include "lib/store/driver.h"
#include "lib/store/maildir_box.h"

struct maildir_copy {
	struct maildir_box *from, *to;
	bool move; /* remove the originals when the copies are durable */
	struct mail_copy *v;
	size_t n;
};

MUST_USE int maildir_copy(struct maildir_copy *c, struct err *e);

#endif
