/*
 * lib/store/mbox_open.h - open and lock an mbox file by the rules of mbox_append.h; private to lib/store.
 *
 * Layer:     store (blocking system calls).
 * Ownership: mbox_open() .. mbox_close() inside one job.
 * Errors:    1; 0 there is no such file, and none is to be made; -1 with E; class CONFIG: refused.
 */
#ifndef STORE_MBOX_OPEN_H
#define STORE_MBOX_OPEN_H

#include "lib/store/mbox_append.h"
#include "lib/store/mbox_dot.h"

#define MBOX_NAME_MAX 240 /* of the file, so that ".append" fits behind it */

struct mbox {
	char path[4352];          /* for messages */
	char parent[4096];        /* directory that holds it */
	char name[MBOX_NAME_MAX + 1];
	char lock_name[MBOX_NAME_MAX + 16];
	int dir, fd;
	bool null;                /* /dev/null */
	bool created;
	struct mbox_dot dot;
	const struct store_spool *spool; /* NULL: not needed */
	off_t length;
};

MUST_USE int mbox_open(struct mbox *m, const char *root, const char *rel, const struct mbox_rules *rules,
	struct err *e);
void mbox_close(struct mbox *m);

/* Is there a journal of an append to NAME in DIR: is one at work, or was one killed? */
int mbox_append_left(int dir, const char *name);
/* Under the locks of M (.dir, .fd, .name, .path, .parent, .spool, .length are used): take away what a killed append
 * left of its mail. A mail that is whole stays, and so does its journal: its delivery will be tried again. 0 or -1. */
MUST_USE int mbox_append_settle(struct mbox *m, struct err *e);

#endif
