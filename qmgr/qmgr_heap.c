#include "qmgr/qmgr_heap.h"

#include "lib/base/buf.h"

static bool less(const struct heap_node *a, const struct heap_node *b)
{
	return a->key != b->key ? a->key < b->key : a->seq < b->seq;
}

static void place(struct heap *h, size_t i, struct heap_node *n)
{
	h->v[i] = n;
	n->at = i + 1;
}

static void sift_up(struct heap *h, size_t i, struct heap_node *n)
{
	while (i > 0) {
		size_t parent = (i - 1) / 2;
		if (!less(n, h->v[parent]))
			break;
		place(h, i, h->v[parent]);
		i = parent;
	}
	place(h, i, n);
}

static void sift_down(struct heap *h, size_t i, struct heap_node *n)
{
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= h->n)
			break;
		if (child + 1 < h->n && less(h->v[child + 1], h->v[child]))
			child++;
		if (!less(h->v[child], n))
			break;
		place(h, i, h->v[child]);
		i = child;
	}
	place(h, i, n);
}

void qheap_free(struct heap *h)
{
	free(h->v);
	*h = (struct heap){ 0 };
}

void qheap_put(struct heap *h, struct heap_node *n, uint64_t key)
{
	if (h->n == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 8;
		h->v = mem_realloc(h->v, h->cap * sizeof(struct heap_node *));
	}
	n->key = key;
	n->seq = h->seq++;
	h->n++;
	sift_up(h, h->n - 1, n);
}

void qheap_remove(struct heap *h, struct heap_node *n)
{
	if (n->at == 0)
		return;
	size_t i = n->at - 1;
	n->at = 0;
	struct heap_node *last = h->v[--h->n];
	if (last == n)
		return;
	if (i > 0 && less(last, h->v[(i - 1) / 2]))
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

struct heap_node *qheap_min(const struct heap *h)
{
	return h->n > 0 ? h->v[0] : NULL;
}
