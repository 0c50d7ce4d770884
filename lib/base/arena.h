/*
 * lib/base/arena.h - memory that belongs to a lifetime: a session, a transaction, a message.
 *
 * Layer:     base (pure; allocates).
 * Ownership: everything from an arena lives until arena_reset() or arena_free(); nothing is
 *            freed singly.
 * Errors:    at the ceiling an allocation returns NULL and the arena stays .exhausted: the
 *            session that owns it ends (421, BYE), not the process.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "lib/base/sv.h"

struct arena_block;

struct arena {
	struct arena_block *head;
	size_t used;    /* octets handed out */
	size_t ceiling; /* their limit */
	bool exhausted;
};

void arena_init(struct arena *a, size_t ceiling);
void arena_free(struct arena *a);  /* also makes it ready for use again */
void arena_reset(struct arena *a); /* forget everything, keep one block */

/* Zeroed, aligned for any type; NULL at the ceiling. */
MUST_USE void *arena_alloc(struct arena *a, size_t n);
MUST_USE void *arena_array(struct arena *a, size_t count, size_t size);
/* Copies; .p is NULL at the ceiling. The copy is followed by a NUL that is not counted. */
struct sv arena_sv(struct arena *a, struct sv s);
/* NUL-terminated copy; NULL at the ceiling. */
MUST_USE char *arena_strdup(struct arena *a, struct sv s);
MUST_USE char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
