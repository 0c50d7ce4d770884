/*
 * lib/store/maildir_box.h - one Maildir folder as a table of messages: uidlist, files, keywords.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs, one job a box at a time).
 * Ownership: maildir_box_new() .. maildir_box_free(). A record pointer lives until the next sync.
 * Errors:    1 done, 0 the folder does not exist (any more), -1 with E. After -1 the table is as it was
 *            or older, never wrong.
 * Security:  see store.h. Ceilings: BOX_MESSAGES_MAX, BOX_UIDLIST_MAX.
 *
 * The table holds every line of dovecot-uidlist; .where tells whether the file is there. doc/store.md
 * has the states and why no UID is shown before it is on disk.
 */
#ifndef STORE_MAILDIR_BOX_H
#define STORE_MAILDIR_BOX_H

#include <sys/stat.h>

#include "lib/base/hash.h"
#include "lib/store/index.h"
#include "lib/store/keywords.h"
#include "lib/store/maildir_dir.h"
#include "lib/store/maildir_name.h"
#include "lib/store/uidlist.h"

#define BOX_MESSAGES_MAX 2000000u
#define BOX_UIDLIST_MAX  (256u << 20)

enum box_where { BOX_ABSENT = 0, BOX_NEW, BOX_CUR };

struct box_rec {
	uint32_t uid;
	uint32_t flags;
	uint32_t keywords;
	uint8_t where; /* enum box_where */
	bool recent;   /* this box moved it out of new/; or saw it there and may not move it */
	bool gone;     /* two looks did not find it: a rewrite of the uidlist drops its line */
	uint32_t mark; /* scan that saw the file last */
	uint64_t size, vsize;
	int64_t mtime; /* 0: not known yet */
	char *base;    /* NUL-terminated, owned; "" when another line took the name over */
	char *info;    /* ":2,FS" or "", owned; NULL is "" */
	char *ext;     /* fields of the uidlist line, owned; NULL is "" */
};

/* dovecot-uidlist as it was read last. */
struct box_uidlist {
	struct uidlist_header h;
	bool loaded;
	bool rewrite;   /* has broken or superseded lines, or an old version */
	dev_t dev;
	ino_t ino;
	off_t known;    /* octets that the table knows */
	size_t head_len; /* of the header line with its LF */
	char head[UIDLIST_LINE_MAX + 1];
};

struct box_seen { /* of one directory at the last scan */
	struct timespec mtime;
	int64_t at_s;
};

struct maildir_box {
	char *root_path;
	uid_t uid;
	char *host;
	int64_t lock_timeout_ms;
	bool writable;
	struct folder_dir folder;

	struct box_uidlist list;
	struct keywords kw;
	struct stat kw_stat;
	bool kw_loaded;
	struct box_rec *recs; /* ascending UIDs */
	size_t n, cap;
	struct htab by_base;  /* -> UID as a pointer */
	uint32_t scan;
	struct store_index *index; /* borrowed; NULL: none */
	bool index_checked;
	struct index_size *learned; /* CRLF sizes that had to be counted */
	size_t nlearned;
	bool dirty;           /* look at the directories in any case */
	bool lost;            /* UIDVALIDITY changed: views of it are void */
	struct box_seen seen_new, seen_cur;
};

struct maildir_box_def {
	const char *root_path;
	uid_t uid;
	const char *host;
	int64_t lock_timeout_ms;
	bool writable;
	struct store_index *index;
};

struct maildir_box *maildir_box_new(const struct maildir_box_def *def, const struct folder_dir *folder);
void maildir_box_free(struct maildir_box *b); /* NULL allowed */

/* Bring the table up to date with the disk. New mail has a UID on disk afterwards. */
MUST_USE int maildir_box_sync(struct maildir_box *b, struct err *e);

struct box_rec *maildir_box_find(struct maildir_box *b, uint32_t uid);
struct box_rec *maildir_box_by_base(struct maildir_box *b, struct sv base);
/* Current file name into NAME. */
void maildir_box_name(const struct box_rec *r, char name[MAILDIR_NAME_MAX + 1]);
/* Append a record (UID above all others); takes nothing over, copies. NULL at BOX_MESSAGES_MAX. */
struct box_rec *maildir_box_push(struct maildir_box *b, uint32_t uid, struct sv base, struct sv ext);
void maildir_box_truncate(struct maildir_box *b, size_t n);
void maildir_rec_set_info(struct box_rec *r, struct sv name);

/* Open the folder's directories. */
MUST_USE int maildir_box_dirs(
	const struct maildir_box *b, int *root, struct maildir_dir *d, struct err *e);

/* --- the index: everything works without it -------------------------------------------------- */
/* What the index knows of the sizes of N mails whose CRLF size is unknown. */
void maildir_box_recall(struct maildir_box *b, const uint32_t *uids, size_t n);
/* R's CRLF size was counted; at the end of a job, or when many came together, the index learns it. */
void maildir_box_learned(struct maildir_box *b, const struct box_rec *r);
void maildir_box_flush(struct maildir_box *b);
/* These mails are about to be removed: their delivery keys are remembered for a day. */
void maildir_box_bury(struct maildir_box *b, const uint32_t *uids, size_t n);

/* Both locks of a change: the account's lock file, then dovecot-uidlist.lock. */
struct box_lock;
MUST_USE struct box_lock *maildir_box_lock(
	struct maildir_box *b, int root, const struct maildir_dir *d, struct err *e);
void maildir_box_unlock(struct box_lock *l);

/* --- pieces of sync, in their own files -------------------------------------------------- */
/* Read what is new in dovecot-uidlist. 1; 0 it is missing or of no use: maildir_uidlist_reset(); -1. */
MUST_USE int maildir_uidlist_read(struct maildir_box *b, const struct maildir_dir *d, struct err *e);
/* Under the lock: forget everything, start with a new UIDVALIDITY (not yet written). 0 or -1. */
MUST_USE int maildir_uidlist_reset(struct maildir_box *b, int root, struct err *e);
/* Under the lock: write records FIRST.. to the file, durable. Rewrites the file when need be. 0 or -1. */
MUST_USE int maildir_uidlist_write(
	struct maildir_box *b, const struct maildir_dir *d, size_t first, struct err *e);
/* Under the account's lock: a UIDVALIDITY above any that this account had. 0 or -1. */
MUST_USE int maildir_uidvalidity_next(int root, const char *path, uint32_t *out, struct err *e);

MUST_USE int maildir_keywords_read(struct maildir_box *b, const struct maildir_dir *d, struct err *e);
/* Under the lock. 0 or -1. */
MUST_USE int maildir_keywords_write(
	struct maildir_box *b, const struct maildir_dir *d, const struct keywords *k, struct err *e);

/* Files that the table does not know. */
struct box_pending {
	char *name;
	bool in_new;
};

struct box_pendings {
	struct box_pending *v;
	size_t n, cap;
};

/* Look at both directories: marks records, collects the rest. 0 or -1. */
MUST_USE int maildir_scan(
	struct maildir_box *b, const struct maildir_dir *d, struct box_pendings *p, struct err *e);
/* Has either directory changed since the last scan (or may it have)? */
bool maildir_scan_needed(struct maildir_box *b, const struct maildir_dir *d);
void maildir_pendings_free(struct box_pendings *p);
/* In the order of arrival. */
void maildir_pendings_sort(struct box_pendings *p);

#endif
