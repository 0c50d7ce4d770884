/*
 * lib/store/store_save.h - putting mail into a mailbox: delivery by agents, APPEND by readers.
 *
 * Layer:     store (event loop).
 * Ownership: an append is ended by exactly one of commit and abort.
 * Errors:    as in store.h. After 1 the mail survives a power cut: file, then directory were synced.
 *            After -1 nothing of it is visible (a delivery may be repeated; its key finds it).
 * Security:  content is written as it is; a literal's CRLF becomes LF. Sizes are the caller's limits.
 * Standards: Maildir (tmp/, new/, cur/); ARCHITECTURE "Delivery key".
 */
#ifndef STORE_STORE_SAVE_H
#define STORE_STORE_SAVE_H

#include "lib/store/store.h"

/* --- delivery -------------------------------------------------- */
#define STORE_KEY_LEN 32

/* 128 bits in lower-case hex: stands in the file's name as K<key>. */
struct store_key {
	char hex[STORE_KEY_LEN + 1];
};

/* Key of a delivery: the message's nonce, its recipient's offset, the mailbox it ends in. */
struct store_key store_key_make(uint64_t nonce, uint64_t offset, struct sv final_mailbox);

struct mbox_rules; /* mbox_append.h */

struct store_delivery {
	struct store_key key;
	bool maybe_before;   /* look for an earlier copy first (new/, cur/ of all folders, tombstones) */
	int64_t arrival_s;   /* of the mail: in the base name */
	struct sv sender;    /* for the From_ line of an mbox; empty: the null sender */
	struct sv head;      /* header lines to put in front, LF-ended */
	int fd;              /* content: SIZE octets at OFFSET, LF line ends */
	uint64_t offset;
	uint64_t size;
	uint32_t flags;      /* enum store_flag */
	const struct mbox_rules *mbox; /* an mbox's: its locks and limit; NULL: those that readers take */
};

enum store_delivered { STORE_DELIVERED_NEW, STORE_DELIVERED_BEFORE };

/* 1 (OUT tells whether it was there already); 0 the mailbox does not exist (never for INBOX); -1. Class PERM with
 * EFBIG: the limit of .mbox. Class CONFIG: a file that must not be written to. */
MUST_USE int store_deliver(struct store_account *a, struct store_mailbox_id id,
	const struct store_delivery *d, enum store_delivered *out, struct err *e);

/* --- append -------------------------------------------------- */
struct store_append;

struct store_append_meta {
	uint32_t flags;
	const struct sv *keywords;
	size_t nkeywords;
	int64_t internaldate; /* seconds; 0 = now */
};

/* 1; 0 the mailbox does not exist; -1. */
MUST_USE int store_append_begin(
	struct store_account *a, struct store_mailbox_id id, struct store_append **out, struct err *e);
/* Octets as they come from the network; CRLF becomes LF, also across calls. 1 or -1. */
MUST_USE int store_append_write(struct store_append *ap, struct sv octets, struct err *e);
/* Make it durable and visible; frees AP in any case. 1, 0 the mailbox vanished meanwhile, or -1. */
MUST_USE int store_append_commit(struct store_append *ap, const struct store_append_meta *m,
	uint32_t *uidvalidity, uint32_t *uid, struct err *e);
void store_append_abort(struct store_append *ap); /* NULL allowed */

#endif
