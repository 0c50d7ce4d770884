/*
 * lib/store/maildir_folders.h - the folders of an account: list, make, remove, rename, subscribe.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs).
 * Errors:    as the functions of the same purpose in store.h.
 *
 * All take the account's lock. A rename with children is several rename(2)s: it is written down in
 * "merpati.rename" first, and whoever comes next finishes it. A deleted folder is renamed to a name
 * that no mailbox can have, then emptied; left-overs go with the next deletion.
 */
#ifndef STORE_MAILDIR_FOLDERS_H
#define STORE_MAILDIR_FOLDERS_H

#include "lib/store/folder_list.h"
#include "lib/store/maildir_dir.h"

struct store_index;

struct folders {
	const char *path; /* of the Maildir */
	uid_t uid;
	int64_t lock_timeout_ms;
	struct store_index *index; /* NULL: none */
};

MUST_USE int maildir_folders_list(const struct folders *f, struct folder_list *out, struct err *e);
MUST_USE int maildir_folder_create(const struct folders *f, const struct folder_dir *dir, struct err *e);
MUST_USE int maildir_folder_delete(const struct folders *f, const struct folder_dir *dir, struct err *e);
/* Neither is INBOX. */
MUST_USE int maildir_folder_rename(
	const struct folders *f, struct sv from, struct sv to, struct err *e);
MUST_USE int maildir_subscribe(const struct folders *f, struct sv name, bool on, struct err *e);

#endif
