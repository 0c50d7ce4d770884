/*
 * lib/wire/imap_seqset.h - sequence sets: parse, resolve "*", merge, walk, write.
 *
 * Layer:     wire (pure; memory from the caller's arena).
 * Errors:    1 done, -1 syntax.
 * Security:  "1:4294967295" and 10^5 times "1:*" cost the length of their text (times its
 *            logarithm) only, never the number of messages they name (ATTACKS M06).
 * Standards: RFC 9051 9 (sequence-set), RFC 5182 ("$").
 */
#ifndef WIRE_IMAP_SEQSET_H
#define WIRE_IMAP_SEQSET_H

#include "lib/wire/imap_parse.h"

#define IMAP_STAR 0u /* "*" before imap_seqset_resolve() */

struct imap_range {
	uint32_t lo, hi;
};

struct imap_seqset {
	struct imap_range *r;
	size_t count;
	bool saved; /* "$": the result of the last SEARCH with SAVE; no ranges then */
};

MUST_USE int imap_seqset_parse(struct imap_parser *p, struct imap_seqset *out);
/* Replace "*" by MAX, order and merge the ranges. MAX 0 (nothing there): ranges with "*" vanish. */
void imap_seqset_resolve(struct imap_seqset *s, uint32_t max);
/* On a resolved set: is N in it? (binary search) */
bool imap_seqset_has(const struct imap_seqset *s, uint32_t n);
/* On a resolved set: the largest number, 0 when empty. */
uint32_t imap_seqset_last(const struct imap_seqset *s);
/* Append "1:3,5" of COUNT ascending numbers. */
int imap_seqset_write(struct buf *out, const uint32_t *n, size_t count);

#endif
