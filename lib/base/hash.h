/*
 * lib/base/hash.h - SipHash-2-4 and a hash table with octet-string keys.
 *
 * Layer:     base (pure; the seed comes from the caller).
 * Ownership: the table copies keys; values are the caller's. htab_free() frees no values.
 * Security:  with a random seed, chosen keys cannot be made to collide.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "lib/base/sv.h"

struct hash_seed {
	uint64_t k0, k1;
};

uint64_t hash_sip(struct hash_seed seed, const void *p, size_t n);

struct htab_entry {
	struct htab_entry *next;
	uint64_t hash;
	void *value;
	size_t key_len;
	char key[]; /* NUL-terminated, not counted */
};

struct htab {
	struct hash_seed seed;
	struct htab_entry **slots;
	size_t nslots; /* power of two, or 0 */
	size_t count;
};

/* state of HTAB_FOREACH */
struct htab_walk {
	size_t slot;
	const void *unused;
};

void htab_init(struct htab *t, struct hash_seed seed);
void htab_free(struct htab *t);
/* The value, or NULL when KEY is absent. */
void *htab_get(const struct htab *t, struct sv key);
/* Set KEY to VALUE (not NULL); returns the value that stood there, or NULL. */
void *htab_set(struct htab *t, struct sv key, void *value);
/* Remove KEY; returns its value, or NULL. */
void *htab_del(struct htab *t, struct sv key);
/* Walk: start with *slot = 0, *e = NULL; the table must not change meanwhile. */
bool htab_next(const struct htab *t, size_t *slot, struct htab_entry **e);

#define HTAB_FOREACH(t, e)                                                                  \
	for (struct htab_walk e##_w = { 0, NULL }; e##_w.slot != SIZE_MAX; e##_w.slot = SIZE_MAX) \
		for (struct htab_entry *e = NULL; htab_next((t), &e##_w.slot, &e);)

#endif
