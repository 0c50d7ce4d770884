/*
 * lib/store/maildir_save.h - a mail file from its first octet in tmp/ to its name in new/.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs).
 * Ownership: a struct maildir_tmp ends in exactly one of publish (1) and discard.
 * Errors:    0 or -1 with E; after a failed publish nothing is visible.
 *
 * States: tmp (written, may be garbage) -> synced -> published (renamed; not yet durable) -> durable
 * (directory synced). Only the last is reported as success. See doc/store.md.
 */
#ifndef STORE_MAILDIR_SAVE_H
#define STORE_MAILDIR_SAVE_H

#include "lib/store/maildir_dir.h"
#include "lib/store/maildir_name.h"
#include "lib/store/store_save.h"

struct maildir_tmp {
	int fd;
	uint64_t size;  /* octets written */
	uint64_t vsize; /* the same with CRLF line ends */
	char last;      /* the octet before, for lines that end in CRLF on disk */
	bool held_cr;   /* crlf form: a CR whose LF may come in the next piece */
	char name[MAILDIR_NAME_MAX + 1];
};

/* A new file in tmp/ with a name nobody else makes. */
MUST_USE int maildir_tmp_open(
	struct maildir_dir *d, const char *host, struct maildir_tmp *t, struct err *e);
/* Octets as they are. */
MUST_USE int maildir_tmp_write(
	const struct maildir_dir *d, struct maildir_tmp *t, struct sv octets, struct err *e);
/* Head and content of a delivery. */
MUST_USE int maildir_tmp_copy(const struct maildir_dir *d, struct maildir_tmp *t,
	const struct store_delivery *dl, struct err *e);
/* Octets of a network literal: CRLF becomes LF. maildir_tmp_write_end() writes a held CR. */
MUST_USE int maildir_tmp_write_crlf(
	const struct maildir_dir *d, struct maildir_tmp *t, struct sv octets, struct err *e);
MUST_USE int maildir_tmp_write_end(const struct maildir_dir *d, struct maildir_tmp *t, struct err *e);
/* The content to disk; MTIME (seconds, 0 = leave) becomes INTERNALDATE. */
MUST_USE int maildir_tmp_sync(
	const struct maildir_dir *d, struct maildir_tmp *t, int64_t mtime, struct err *e);
/* Rename to NAME in new/, then sync that directory (SYNC). */
MUST_USE int maildir_tmp_publish(const struct maildir_dir *d, struct maildir_tmp *t, const char *name,
	bool sync, struct err *e);
/* Close and remove what is left. Safe after publish and on a zeroed one with .fd = -1. */
void maildir_tmp_discard(const struct maildir_dir *d, struct maildir_tmp *t);

/* Base name of mail without a delivery key: unique by time, process and 64 random bits. */
void maildir_unique_base(const char *host, uint64_t size, uint64_t vsize, char out[MAILDIR_NAME_MAX + 1]);

/* Write, sync and publish one delivery. 1. */
MUST_USE int maildir_deliver(struct maildir_dir *d, const char *host, const struct store_delivery *dl,
	struct err *e);

/*
 * Is a mail with KEY and SIZE octets anywhere in the account at ROOT?
 *   1 yes, 0 no, -1 could not find out
 */
MUST_USE int maildir_key_find(
	int root, const char *root_path, const struct store_key *key, uint64_t size, struct err *e);

#endif
