/*
 * lib/store/mbox_file.h - an mbox file opened and locked, as other mail software locks it.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs).
 * Ownership: mbox_file_open() .. mbox_file_close() inside one job; closing gives the locks up.
 * Errors:    1 done, 0 there is no such file, -1 with E (ETIMEDOUT: somebody holds a lock).
 * Security:  no symbolic link is followed below .root; a file with a second link, of another owner, or that is not
 *            a regular file is refused: it may be somebody else's.
 * Standards: Debian policy 11.6: fcntl, then NAME.lock. Readers take the fcntl lock only.
 *
 * Both locks are taken without waiting for one while the other is held, so that software that takes them in the other
 * order cannot block us for ever, nor we it. Where the directory is not ours to write in (/var/mail), see mbox_dot.h.
 * The fcntl lock belongs to the open file (F_OFD_SETLK): it also holds between threads and processes of merpati.
 */
#ifndef STORE_MBOX_FILE_H
#define STORE_MBOX_FILE_H

#include "lib/store/mbox_dot.h"
#include "lib/store/store.h"

#define MBOX_STALE_S 500 /* a NAME.lock that nobody touched for so long is dead, as Postfix has it */

struct mbox_place {
	const char *root; /* directory, absolute */
	const char *rel;  /* below it: "NAME" or "DIR/NAME" */
	uid_t uid;        /* who must own it; (uid_t)-1: not checked */
	int64_t lock_timeout_ms;
	const struct store_spool *spool; /* may be NULL */
};

enum mbox_access { MBOX_UNLOCKED, MBOX_READ, MBOX_WRITE };

struct mbox_file {
	const struct mbox_place *place; /* the caller's */
	int dir; /* that holds it */
	int fd;
	const char *name; /* in DIR: end of place->rel */
	char path[1024]; /* for messages */
	char lock_name[300];
	enum mbox_access lock;
	struct mbox_dot dot;
	const struct store_spool *spool; /* NULL: not needed */
};

/* CREATE: make the file (0600) when it is missing; its directory must exist. */
MUST_USE int mbox_file_open(const struct mbox_place *p, bool create, struct mbox_file *f, struct err *e);
/* From whatever is held to HOW. 0 or -1: nothing is held. */
MUST_USE int mbox_file_lock(struct mbox_file *f, enum mbox_access how, struct err *e);
void mbox_file_close(struct mbox_file *f);

/* The directory that holds REL below ROOT; no symbolic link is followed. 1, 0, -1. */
MUST_USE int mbox_dir_open(const char *root, const char *rel, int *dir, struct err *e);

#endif
