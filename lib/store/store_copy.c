#include <stdlib.h>

#include "lib/store/box.h"

struct copy_job {
	struct box_job job;
	void *to;
	bool move;
	struct mail_copy *v;
	size_t n;
};

static void copy_run(void *rec)
{
	struct copy_job *j = rec;
	struct store_box *b = j->job.box;
	j->job.rc = b->account->driver->copy(b->table, j->to, j->move, j->v, j->n, &j->job.err);
}

/* UIDs of the mails that are still there, from the view. */
static void collect(
        const struct store_box *b, const size_t *indexes, size_t n, struct copy_job *c)
{
	c->v = mem_array(n ? n : 1, sizeof(*c->v));
	for (size_t i = 0; i < n; i++)
		if (indexes[i] < b->n && !b->v[indexes[i]].gone)
			c->v[c->n++].from = b->v[indexes[i]].uid;
}

static int report(struct store_box *b, const struct copy_job *c, struct arena *arena,
        struct store_copied *out, struct err *e)
{
	*out = (struct store_copied){ .uidvalidity = b->account->driver->facts(c->to).uidvalidity };
	out->from = arena_array(arena, c->n ? c->n : 1, sizeof(*out->from));
	out->to = arena_array(arena, c->n ? c->n : 1, sizeof(*out->to));
	if (!out->from || !out->to)
		return err_set(e, ERR_TEMP, "too many messages at once");
	for (size_t i = 0; i < c->n; i++) {
		size_t at;
		if (store_box_find(b, c->v[i].from, &at) && (c->v[i].to == 0 || c->move))
			b->v[at].gone = true;
		if (c->v[i].to == 0)
			continue;
		out->from[out->n] = c->v[i].from;
		out->to[out->n++] = c->v[i].to;
	}
	return 1;
}

int store_box_copy(struct store_box *b, const size_t *indexes, size_t n, struct store_mailbox_id to,
        bool move, struct arena *arena, struct store_copied *out, struct err *e)
{
	const struct store_driver *d = b->account->driver;
	if (d->name_check(to.name, e) < 0)
		return -1;
	if (move && !b->writable)
		return err_set(e, ERR_PERM, "mailbox was opened read-only");
	struct copy_job j = { .job.run = copy_run, .move = move };
	j.to = d->table_new(b->account, to.name, false);
	collect(b, indexes, n, &j);
	box_run(b, &j.job);
	int rc = box_result(&j.job, e);
	if (rc == 1)
		rc = report(b, &j, arena, out, e);
	d->table_free(j.to);
	free(j.v);
	return rc;
}
