/*
 * lib/store/maildir_dir.h - directories of a Maildir as descriptors: open, make, sync.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs).
 * Ownership: maildir_dir_open() .. maildir_dir_close() inside one job.
 * Errors:    1 done, 0 there is no such Maildir, -1 with E.
 * Security:  below the account's path no symbolic link is followed, so that a user cannot make a
 *            process with other rights write elsewhere.
 */
#ifndef STORE_MAILDIR_DIR_H
#define STORE_MAILDIR_DIR_H

#include <sys/types.h>

#include "lib/base/err.h"
#include "lib/store/folder_name.h"

struct maildir_dir {
	int dir; /* the Maildir: control files live here */
	int cur, new_, tmp;
	char path[512]; /* for messages */
};

/* The account's Maildir at PATH (absolute): makes it when CREATE. UID -1: owner not checked. */
MUST_USE int maildir_root_open(const char *path, uid_t uid, bool create, int *fd, struct err *e);
/* A directory alone, of that user: the same without cur, new and tmp. */
MUST_USE int maildir_path_open(const char *path, uid_t uid, bool create, int *fd, struct err *e);
/* A folder of it; ROOT_PATH is for messages. */
MUST_USE int maildir_dir_open(int root, const char *root_path, const struct folder_dir *folder,
	struct maildir_dir *out, struct err *e);
void maildir_dir_close(struct maildir_dir *d);
/* Make a folder, durable. 1 made, 0 there was one. */
MUST_USE int maildir_dir_create(
	int root, const char *root_path, const struct folder_dir *folder, struct err *e);
/* fsync of a directory. 0, or -1 with E naming PATH/SUB. */
int maildir_sync(int fd, const char *path, const char *sub, struct err *e);

#endif
