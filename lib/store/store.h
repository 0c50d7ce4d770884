/*
 * lib/store/store.h - mailboxes of users: accounts, folders, what a folder's name may be.
 *
 * Layer:     store (event loop; blocking file work runs in threads by fiber_offload).
 * Ownership: one struct store a process; accounts are shared by path and counted; views given in are
 *            copied. Results in an arena live as long as that arena.
 * Errors:    1 done or found, 0 does not exist (already, any more), -1 with E. E.sys_errno tells
 *            ENOSPC (disk full) from EDQUOT (over quota), EACCES, EIO, ETIMEDOUT (a lock was not
 *            to be had). Class PERM: the request can never work (a bad name); all else TEMP.
 * Security:  everything below a mail location belongs to the user and may be hostile: names, uidlist,
 *            keywords and index are parsed with limits and never believed over the files. Symbolic
 *            links are not followed inside a Maildir.
 * Standards: Maildir++; Dovecot's dovecot-uidlist (version 3), dovecot-keywords, subscriptions; mbox
 *            (RFC 4155) with the header fields of c-client.
 *
 * All functions wait (locks, disk): call them from fibers only. File states: doc/store.md.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <sys/types.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/sv.h"

struct store;
struct store_account;
struct store_driver;
struct store_spool;

struct store_options {
	const char *host;       /* in base names of mail files; '/' and ':' are replaced */
	const char *index_dir;  /* mail_index_dir; NULL or "": inside each Maildir */
	int64_t lock_timeout_ms; /* how long to wait for a lock of others, 0 = 120 s */
	bool no_index;          /* work without the LMDB index (tests, tools) */
	const struct store_spool *spool; /* spool.h; NULL: every directory is its user's own */
	bool any_owner;         /* INBOX of an mbox may belong to others: strict_mailbox_ownership = no */
};

struct store *store_new(const struct store_options *o);
void store_free(struct store *s); /* all accounts must be closed */

/* A mail location taken apart. */
struct store_location {
	const struct store_driver *driver;
	struct buf path;  /* directory: the Maildir, or where mbox files lie; absolute */
	struct buf inbox; /* mbox: the file of INBOX, absolute; empty: Maildir */
	struct buf index; /* empty: not named */
};

/*
 * "maildir:PATH" or "mbox:PATH[:INBOX=FILE][:INDEX=DIR]"; "~/" and relative paths are below HOME. 1, or -1 (CONFIG).
 * The caller frees it in any case.
 */
MUST_USE int store_location(struct sv mail, struct sv home, struct store_location *out, struct err *e);
void store_location_free(struct store_location *l);

struct store_account_def {
	struct sv owner; /* full user name: user@domain */
	struct sv home;  /* base of a relative mail path */
	struct sv mail;  /* store_location() */
	uid_t uid;       /* who must own the Maildir; (uid_t)-1: not checked */
	bool create;     /* make the Maildir when it is missing */
};

/* Open (and count) an account. 1; 0 there is no Maildir and .create is not set; -1. */
MUST_USE int store_account_open(struct store *s, const struct store_account_def *def,
	struct store_account **out, struct err *e);
void store_account_close(struct store_account *a); /* NULL allowed */
const char *store_account_owner(const struct store_account *a);
const char *store_account_path(const struct store_account *a);
/* For people: "maildir" or "mailbox". */
const char *store_account_kind(const struct store_account *a);

/* --- mailbox names -------------------------------------------------- */
enum store_namespace { STORE_NS_PRIVATE = 0 };

/*
 * Which mailbox: whose, in which name space, and its name as IMAP4rev1 writes it (modified UTF-7,
 * hierarchy separator '.', INBOX in any case).
 */
struct store_mailbox_id {
	struct sv owner; /* empty: the account's owner */
	enum store_namespace ns;
	struct sv name;
};

#define STORE_SEPARATOR     '.'
#define STORE_NAME_MAX      200 /* octets of a mailbox name */
#define STORE_MAILBOXES_MAX 20000

struct store_mailbox_id store_inbox(void);
struct store_mailbox_id store_mailbox(struct sv name);
bool store_name_is_inbox(struct sv name);
/* May a mailbox have this name? 1, or -1 (class PERM) with what is wrong. */
MUST_USE int store_name_check(struct sv name, struct err *e);

/* --- folders -------------------------------------------------- */
enum store_folder_flag {
	STORE_FOLDER_EXISTS = 1,       /* can be opened; absent: only a parent, or only subscribed */
	STORE_FOLDER_HAS_CHILDREN = 2,
	STORE_FOLDER_SUBSCRIBED = 4,
};

struct store_folder {
	struct sv name;
	unsigned flags; /* enum store_folder_flag */
};

struct store_folders {
	struct store_folder *v; /* INBOX first, the others in octet order; parents that do not exist too */
	size_t n;
};

/* 1 or -1. Subscribed names that do not exist are in the list without STORE_FOLDER_EXISTS. */
MUST_USE int store_folders(
	struct store_account *a, struct arena *arena, struct store_folders *out, struct err *e);
/* 1 created; 0 there was one. Parents are not created (they show as not selectable). */
MUST_USE int store_create(struct store_account *a, struct store_mailbox_id id, struct err *e);
/* 1 deleted, with its mail; 0 there was none. Children stay. INBOX: -1 PERM. */
MUST_USE int store_delete(struct store_account *a, struct store_mailbox_id id, struct err *e);
/*
 * 1 renamed, with its children; 0 FROM does not exist; -1 (PERM: TO exists, bad name, own child).
 * Renaming INBOX moves its mail into a new mailbox TO and leaves INBOX empty (RFC 3501 6.3.5).
 */
MUST_USE int store_rename(struct store_account *a, struct store_mailbox_id from,
	struct store_mailbox_id to, struct err *e);
/* 1 done; 0 it was so already. The name need not exist. */
MUST_USE int store_subscribe(
	struct store_account *a, struct store_mailbox_id id, bool on, struct err *e);

struct store_status {
	uint32_t messages;
	uint32_t recent;
	uint32_t unseen;
	uint32_t uidnext;
	uint32_t uidvalidity;
	uint64_t vsize;  /* with CRLF line ends; only when asked for: may read mail */
};

/* Counters of a mailbox that is not opened. WITH_SIZE fills .vsize. 1, 0 does not exist, -1. */
MUST_USE int store_status(struct store_account *a, struct store_mailbox_id id, bool with_size,
	struct store_status *out, struct err *e);

/* --- being told of changes -------------------------------------------------- */
struct store_watch;
struct fiber_event;

/*
 * Set EV whenever the mailbox may have changed (by anybody). Then: clear EV, store_box_refresh().
 * When the kernel refuses another watch, EV is set every 30 seconds instead. NULL with E: no such
 * mailbox, or out of memory.
 */
struct store_watch *store_watch_add(
	struct store_account *a, struct store_mailbox_id id, struct fiber_event *ev, struct err *e);
void store_watch_del(struct store_watch *w); /* NULL allowed */

#endif
