#include <stdlib.h>

#include "lib/store/box.h"
#include "lib/store/maildir_copy.h"

struct copy_job {
	struct box_job job;
	struct maildir_copy copy;
};

static void copy_run(void *rec)
{
	struct copy_job *j = rec;
	j->job.rc = maildir_copy(&j->copy, &j->job.err);
}

/* UIDs of the mails that are still there, from the view. */
static void collect(
        const struct store_box *b, const size_t *indexes, size_t n, struct maildir_copy *c)
{
	c->v = mem_array(n ? n : 1, sizeof(*c->v));
	for (size_t i = 0; i < n; i++)
		if (indexes[i] < b->n && !b->v[indexes[i]].gone)
			c->v[c->n++].from = b->v[indexes[i]].uid;
}

static int report(struct store_box *b, const struct maildir_copy *c, struct arena *arena,
        struct store_copied *out, struct err *e)
{
	*out = (struct store_copied){ .uidvalidity = c->to->list.h.uidvalidity };
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
	struct folder_dir folder;
	if (folder_dir_of(to.name, &folder, e) < 0)
		return -1;
	if (move && !b->writable)
		return err_set(e, ERR_PERM, "mailbox was opened read-only");
	struct copy_job j = { .job.run = copy_run, .copy = { .from = b->table, .move = move } };
	j.copy.to = box_table(b->account, &folder, false);
	collect(b, indexes, n, &j.copy);
	box_run(b, &j.job);
	int rc = box_result(&j.job, e);
	if (rc == 1)
		rc = report(b, &j.copy, arena, out, e);
	maildir_box_free(j.copy.to);
	free(j.copy.v);
	return rc;
}
