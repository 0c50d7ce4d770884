/*
 * lib/store/index.h - the index of an account: an LMDB environment that may vanish at any time.
 *
 * Layer:     store (blocking; runs inside jobs that hold the account's mutex: one thread at a time).
 * Ownership: index_new() .. index_free(); the environment is opened by the first use. A transaction
 *            begins and ends inside each call.
 * Errors:    1 found or done, 0 not there, -1 no index now (a log line says why): carry on without it.
 * Security:  opened only under the uid that owns it, inside that user's directory. A file that is too
 *            short, of another format or that LMDB calls corrupt is removed and made anew. Values carry
 *            checksums.
 *
 * What it holds is a cache, but for tombstones (delivery keys of mail that was expunged, 24 hours): when
 * they are lost, a mail that was delivered in a crash window and expunged may come back once.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/store/index_record.h"
#include "lib/store/store_save.h"

#define INDEX_TOMB_S (24 * 3600)

struct store_index;

/* DIR is made when first needed. */
struct store_index *index_new(const char *dir);
void index_free(struct store_index *ix);  /* NULL allowed */
void index_close(struct store_index *ix); /* until it is used again; NULL allowed */

/*
 * What is known of a mailbox. When its UIDVALIDITY is another than the index has seen, all about it is
 * forgotten. *NEXTUID is raised to what the index has seen, and the index to *NEXTUID.
 */
int index_box_check(struct store_index *ix, const struct index_guid *g, uint32_t uidvalidity,
	uint32_t *nextuid);

struct index_size {
	uint32_t uid;
	uint64_t tag; /* index_tag() of the mail's base name */
	uint64_t size, vsize; /* get: 0 when not known */
};

int index_sizes_get(struct store_index *ix, const struct index_guid *g, struct index_size *v, size_t n);
int index_sizes_put(struct store_index *ix, const struct index_guid *g, const struct index_size *v, size_t n);

struct index_part {
	uint32_t uid;
	uint64_t tag;
	unsigned field;
	struct sv value; /* get: in ARENA, .p NULL when absent */
};

int index_cache_get(struct store_index *ix, const struct index_guid *g, struct index_part *v, size_t n,
	struct arena *arena);
int index_cache_put(struct store_index *ix, const struct index_guid *g, const struct index_part *v, size_t n);

struct index_tomb {
	struct store_key key;
	uint64_t size; /* octets of the mail; 0 fits any */
};

/* Expunged: forget what was known of these UIDs, remember the delivery keys (their number may differ). */
int index_expunged(struct store_index *ix, const struct index_guid *g, const uint32_t *uids, size_t nuids,
	const struct index_tomb *tombs, size_t ntombs, int64_t now);
/* Was a mail with this delivery key and size expunged in the last day? */
int index_tomb_has(struct store_index *ix, const struct index_tomb *t, int64_t now);

#endif
