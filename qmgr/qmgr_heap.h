/*
 * qmgr/qmgr_heap.h - a binary heap of nodes that live inside the caller's structures.
 *
 * Layer:     qmgr (pure; allocates its array).
 * Ownership: the heap owns no node.
 *
 * Smallest key first; equal keys in the order in which they were put (seq).
 */
#ifndef QMGR_HEAP_H
#define QMGR_HEAP_H

#include "lib/base/attr.h"

struct heap_node {
	size_t at; /* position in the array + 1; 0: in no heap */
	uint64_t key;
	uint64_t seq;
};

struct heap {
	struct heap_node **v;
	size_t n, cap;
	uint64_t seq;
};

void qheap_free(struct heap *h); /* the array only */
void qheap_put(struct heap *h, struct heap_node *n, uint64_t key);
/* N may be in no heap. */
void qheap_remove(struct heap *h, struct heap_node *n);
struct heap_node *qheap_min(const struct heap *h); /* NULL: empty */

#endif
