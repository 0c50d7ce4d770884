/*
 * lib/store/mbox_folders.h - the mbox files of an account: list, make, remove, rename, subscribe.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs).
 * Errors:    as the functions of the same purpose in store.h.
 *
 * A file is a mailbox without children, a directory a name with children that cannot be selected. All but the list
 * take the account's lock.
 */
#ifndef STORE_MBOX_FOLDERS_H
#define STORE_MBOX_FOLDERS_H

#include "lib/store/folder_list.h"
#include "lib/store/mbox_name.h"

struct mbox_folders {
	const char *path;    /* directory of the mbox files */
	const char *control;
	uid_t uid;
	int64_t lock_timeout_ms;
};

MUST_USE int mbox_folders_list(const struct mbox_folders *f, struct folder_list *out, struct err *e);
MUST_USE int mbox_folder_create(const struct mbox_folders *f, const struct mbox_rel *rel, struct err *e);
/* An empty directory goes, too. */
MUST_USE int mbox_folder_delete(const struct mbox_folders *f, const struct mbox_rel *rel, struct err *e);
MUST_USE int mbox_folder_rename(const struct mbox_folders *f, struct sv from, struct sv to, struct err *e);
MUST_USE int mbox_folder_subscribe(const struct mbox_folders *f, struct sv name, bool on, struct err *e);

#endif
