/* A binary heap of parked fibers, ordered by deadline; heap[0] is unused. */
#include "lib/base/buf.h"
#include "lib/fiber/loop.h"

static void place(struct loop *l, size_t pos, struct fiber *f)
{
	l->heap[pos] = f;
	f->heap_pos = pos;
}

static void sift_up(struct loop *l, size_t pos, struct fiber *f)
{
	while (pos > 1 && l->heap[pos / 2]->deadline > f->deadline) {
		place(l, pos, l->heap[pos / 2]);
		pos /= 2;
	}
	place(l, pos, f);
}

static void sift_down(struct loop *l, size_t pos, struct fiber *f)
{
	for (;;) {
		size_t child = pos * 2;
		if (child > l->heap_len)
			break;
		if (child < l->heap_len && l->heap[child + 1]->deadline < l->heap[child]->deadline)
			child++;
		if (l->heap[child]->deadline >= f->deadline)
			break;
		place(l, pos, l->heap[child]);
		pos = child;
	}
	place(l, pos, f);
}

void heap_insert(struct loop *l, struct fiber *f)
{
	if (l->heap_len + 2 > l->heap_cap) {
		l->heap_cap = l->heap_cap ? l->heap_cap * 2 : 64;
		l->heap = mem_realloc(l->heap, l->heap_cap * sizeof(struct fiber *));
	}
	sift_up(l, ++l->heap_len, f);
}

void heap_remove(struct loop *l, struct fiber *f)
{
	size_t pos = f->heap_pos;
	if (pos == 0)
		return;
	struct fiber *last = l->heap[l->heap_len--];
	f->heap_pos = 0;
	if (last == f)
		return;
	if (pos > 1 && l->heap[pos / 2]->deadline > last->deadline)
		sift_up(l, pos, last);
	else
		sift_down(l, pos, last);
}
