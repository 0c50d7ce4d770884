/*
 * lib/store/account.h - private: the structures behind struct store and struct store_account.
 *
 * Layer:     store (event loop).
 * Ownership: accounts are counted; the store's table holds one for each path.
 *
 * Two locks guard an account. The mutex orders the fibers of this process, so that no pool thread
 * waits for another; the lock file orders processes (open-file-description lock, so it also holds
 * between threads). Order: mutex, lock file, dotlock of a mailbox's dovecot-uidlist.
 */
#ifndef STORE_ACCOUNT_H
#define STORE_ACCOUNT_H

#include "lib/base/hash.h"
#include "lib/base/list.h"
#include "lib/store/maildir_name.h"
#include "lib/store/store.h"

struct fiber_sem;
struct store_driver;
struct store_index;
struct watch_hub;

struct store {
	char host[MAILDIR_HOST_MAX + 1];
	char *index_dir; /* NULL: inside the Maildirs */
	int64_t lock_timeout_ms;
	bool no_index;
	const struct store_spool *spool; /* NULL: none */
	bool any_owner;
	struct htab accounts; /* path -> struct store_account */
	struct watch_hub *hub; /* NULL until somebody watches */
	struct list idle;     /* accounts nobody has open, oldest first: kept for the next delivery */
};

struct store_account {
	struct store *store;
	char *owner;
	const struct store_driver *driver;
	char *path;  /* of the Maildir, or the directory of mbox files; absolute, without a '/' at its end */
	char *inbox; /* mbox: file of INBOX, absolute */
	char *control; /* where what can be made anew is kept: below .path, or in mail_index_dir */
	uid_t uid;
	unsigned refs;
	struct list_node idle; /* while refs is 0 */
	struct fiber_sem *mutex;
	struct store_index *index; /* NULL: works without; used inside jobs that hold the mutex */
};

/* End the watching of changes (store_free). */
void watch_hub_free(struct watch_hub *h);

/* Take the mutex; -1 (TEMP) when it was not to be had in time. */
MUST_USE int account_enter(struct store_account *a, struct err *e);
void account_leave(struct store_account *a);

/* Inside a job: the account's lock file. fd to close (which unlocks), or -1 with E. */
MUST_USE int account_lock(int root, const char *path, int64_t timeout_ms, struct err *e);

#endif
