#include "lib/store/folder_list.h"

#include <stdlib.h>
#include <string.h>

#include "lib/store/store.h"
#include "lib/store/subscriptions.h"

void folder_list_push(struct folder_list *l, struct sv name, unsigned flags)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 32;
		l->v = mem_realloc(l->v, l->cap * sizeof(*l->v));
	}
	l->v[l->n++] = (struct folder_entry){ .name = mem_svdup(name), .flags = flags };
}

void folder_list_free(struct folder_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].name);
	free(l->v);
	*l = (struct folder_list){ 0 };
}

static int by_name(const void *a, const void *b)
{
	return sv_cmp(sv_z(((const struct folder_entry *)a)->name),
	        sv_z(((const struct folder_entry *)b)->name));
}

void folder_list_sort(struct folder_list *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), by_name);
}

static struct folder_entry *find(struct folder_list *l, size_t sorted, struct sv name)
{
	size_t lo = 0, hi = sorted;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = sv_cmp(sv_z(l->v[mid].name), name);
		if (c == 0)
			return &l->v[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

struct merge {
	struct folder_list *l;
	size_t sorted; /* entries up to here can be searched */
};

static void subscribed(void *ctx, struct sv name)
{
	struct merge *m = ctx;
	if (store_name_is_inbox(name))
		name = SV("INBOX");
	struct folder_entry *en = find(m->l, m->sorted, name);
	if (en)
		en->flags |= STORE_FOLDER_SUBSCRIBED;
	else
		folder_list_push(m->l, name, STORE_FOLDER_SUBSCRIBED);
}

/* Entries of the same name become one; parents that do not exist are put in. */
static void unite(struct folder_list *l)
{
	folder_list_sort(l);
	size_t kept = 0;
	for (size_t i = 0; i < l->n; i++) {
		if (kept > 0 && strcmp(l->v[kept - 1].name, l->v[i].name) == 0) {
			l->v[kept - 1].flags |= l->v[i].flags;
			free(l->v[i].name);
		} else {
			l->v[kept++] = l->v[i];
		}
	}
	l->n = kept;
}

static void add_parents(struct folder_list *l)
{
	size_t n = l->n;
	for (size_t i = 0; i < n; i++) {
		if (!(l->v[i].flags & STORE_FOLDER_EXISTS))
			continue;
		struct sv name = sv_z(l->v[i].name);
		ptrdiff_t at;
		while ((at = sv_rchr(name, STORE_SEPARATOR)) > 0) {
			name = sv_upto(name, (size_t)at);
			struct folder_entry *en = find(l, n, name);
			bool had = en && (en->flags & STORE_FOLDER_HAS_CHILDREN);
			if (en)
				en->flags |= STORE_FOLDER_HAS_CHILDREN;
			else
				folder_list_push(l, name, STORE_FOLDER_HAS_CHILDREN);
			if (had)
				break; /* its own parents know already */
		}
	}
	unite(l);
}

static void inbox_first(struct folder_list *l)
{
	for (size_t i = 1; i < l->n; i++)
		if (strcmp(l->v[i].name, "INBOX") == 0) {
			struct folder_entry en = l->v[i];
			memmove(&l->v[1], &l->v[0], i * sizeof(l->v[0]));
			l->v[0] = en;
			return;
		}
}

void folder_list_finish(struct folder_list *l, struct sv subscriptions)
{
	folder_list_sort(l);
	struct merge m = { .l = l, .sorted = l->n };
	subscriptions_parse(subscriptions, subscribed, &m);
	unite(l);
	add_parents(l);
	inbox_first(l);
}
