/*
 * lib/store/driver.h - private: what a format of mailboxes (maildir, mbox) does for the functions of store.h.
 *
 * Layer:     store.
 * Ownership: a table is what a format knows of one mailbox: table_new() .. table_free(), one job at a time.
 * Errors:    as in store.h. Names are checked by .name_check before anything else.
 *
 * But for .name_check, .table_new, .table_free and the looks into a table everything blocks: it runs in offload jobs,
 * under the account's mutex (append_begin, append_write, and deliver without .maybe_before: without it).
 */
#ifndef STORE_DRIVER_H
#define STORE_DRIVER_H

#include "lib/store/folder_list.h"
#include "lib/store/keywords.h"
#include "lib/store/store_save.h"

struct mail_copy {
	uint32_t from; /* UID in the source */
	uint32_t to;   /* UID it got; 0: was gone */
};

struct table_facts {
	uint32_t uidvalidity, nextuid;
	const char *guid;
	const struct keywords *kw;
	bool lost; /* UIDVALIDITY changed: views of it are void */
};

struct table_mail {
	struct store_msg m; /* .gone is not used */
	bool fresh;         /* no session was told of it */
	uint64_t tag;       /* tells it from another mail of the same UID */
};

struct store_driver {
	struct sv prefix;  /* of a mail location, with the colon */
	const char *kind;  /* store_account_kind() */
	bool one_at_a_time; /* deliveries wait for locks that others of this process may hold: under the mutex */
	const char *index; /* below the account's path: where what can be made anew is kept */

	/* Is the account there? .create makes it. 1, 0, -1. */
	int (*root)(const struct store_account *a, bool create, struct err *e);
	int (*name_check)(struct sv name, struct err *e);

	void *(*table_new)(struct store_account *a, struct sv name, bool writable);
	void (*table_free)(void *table);
	int (*sync)(void *table, struct err *e);
	struct table_facts (*facts)(const void *table);
	/* Mails stand in slots in the order of UIDs; a slot may be empty. */
	size_t (*slots)(const void *table);
	bool (*at)(const void *table, size_t slot, struct table_mail *out);
	bool (*find)(void *table, uint32_t uid, struct table_mail *out);

	/* On mails of a view, none of them .gone: those that turn out to be are marked. 1 all, 0 some are gone, -1. */
	int (*sizes)(void *table, struct store_msg **m, size_t n, bool vsize, struct err *e);
	int (*open)(void *table, struct store_msg *m, struct store_content *out, struct err *e);
	int (*flags)(void *table, struct store_msg **m, size_t n, const struct store_flag_change *c, struct err *e);
	int (*remove)(void *table, struct store_msg **m, size_t n, struct err *e);
	int (*copy)(void *from, void *to, bool move, struct mail_copy *v, size_t n, struct err *e);

	/* Mail that comes in pieces. */
	int (*append_begin)(struct store_account *a, struct sv name, void **append, struct err *e);
	int (*append_write)(void *append, struct sv octets, struct err *e);
	int (*append_commit)(void *append, const struct store_append_meta *m, uint32_t *uidvalidity, uint32_t *uid,
		struct err *e);
	void (*append_end)(void *append); /* after commit, or instead of it */
	int (*deliver)(struct store_account *a, struct sv name, const struct store_delivery *d,
		enum store_delivered *how, struct err *e);

	int (*list)(struct store_account *a, struct folder_list *out, struct err *e);
	int (*create)(struct store_account *a, struct sv name, struct err *e);
	int (*remove_folder)(struct store_account *a, struct sv name, struct err *e);
	int (*rename)(struct store_account *a, struct sv from, struct sv to, struct err *e);
	int (*subscribe)(struct store_account *a, struct sv name, bool on, struct err *e);

	/* What to watch for changes of a mailbox: two paths, and the one entry of the second that matters ("": all). */
	void (*watch)(const struct store_account *a, struct sv name, struct buf paths[2], struct buf *entry);
};

extern const struct store_driver store_maildir, store_mbox;

#endif
