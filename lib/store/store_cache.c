/* Cached parts of messages: the index behind a session's box. */
#include <stdlib.h>

#include "lib/store/box.h"
#include "lib/store/index.h"

struct cache_job {
	struct box_job job;
	struct index_part *parts;
	size_t n;
	struct arena *arena; /* NULL: write */
};

static void cache_run(void *rec)
{
	struct cache_job *j = rec;
	struct store_box *b = j->job.box;
	struct index_guid g;
	j->job.rc = index_guid_parse(sv_z(b->account->driver->facts(b->table).guid), &g);
	if (j->job.rc != 1)
		return;
	if (j->arena)
		j->job.rc = index_cache_get(b->account->index, &g, j->parts, j->n, j->arena);
	else
		j->job.rc = index_cache_put(b->account->index, &g, j->parts, j->n);
}

/* The items as parts, by UID. Items of mail that is gone are left out; OF says which item a part is. */
static size_t parts_of(const struct store_box *b, const struct store_cache_item *items, size_t n,
        bool write, struct index_part *parts, size_t *of)
{
	size_t used = 0;
	for (size_t i = 0; i < n; i++) {
		if (items[i].index >= b->n || (write && items[i].value.len > STORE_CACHE_VALUE_MAX))
			continue;
		struct table_mail m;
		if (!b->account->driver->find(b->table, b->v[items[i].index].uid, &m))
			continue;
		of[used] = i;
		parts[used++] = (struct index_part){ m.m.uid, m.tag, items[i].field, items[i].value };
	}
	return used;
}

int store_cache_get(struct store_box *b, struct store_cache_item *items, size_t n,
        struct arena *arena, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		items[i].value = (struct sv){ NULL, 0 };
	if (!b->account->index || b->account->driver->facts(b->table).lost || n == 0)
		return 1;
	struct index_part *parts = mem_array(n, sizeof(*parts));
	size_t *of = mem_array(n, sizeof(*of));
	struct cache_job j = { .job.run = cache_run, .parts = parts, .arena = arena };
	j.n = parts_of(b, items, n, false, parts, of);
	box_run(b, &j.job);
	for (size_t i = 0; i < j.n && j.job.rc == 1; i++)
		items[of[i]].value = parts[i].value;
	free(parts);
	free(of);
	return arena->exhausted ? err_set(e, ERR_TEMP, "too much cached at once") : 1;
}

void store_cache_put(struct store_box *b, const struct store_cache_item *items, size_t n)
{
	if (!b->account->index || b->account->driver->facts(b->table).lost || n == 0)
		return;
	struct index_part *parts = mem_array(n, sizeof(*parts));
	size_t *of = mem_array(n, sizeof(*of));
	struct cache_job j = { .job.run = cache_run, .parts = parts };
	j.n = parts_of(b, items, n, true, parts, of);
	box_run(b, &j.job);
	free(parts);
	free(of);
}
