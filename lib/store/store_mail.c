/* Work of a session on single mails: sizes, content, flags, expunge. */
#include <stdlib.h>

#include "lib/store/box.h"

struct mails_job {
	struct box_job job;
	struct store_msg **v;
	size_t n;
	const struct store_flag_change *change;
	bool vsize;
	struct store_content content;
};

/* Run WORK on the mails at INDEXES (NULL: all N), gone ones left out. 1 all, 0 some were gone, -1. */
static int run(struct store_box *b, struct mails_job *j, void (*work)(void *job), const size_t *indexes, size_t n,
	struct err *e)
{
	bool some = false;
	if (!indexes)
		n = b->n;
	j->job.run = work;
	j->v = mem_array(n ? n : 1, sizeof(struct store_msg *));
	for (size_t i = 0; i < n; i++) {
		size_t at = indexes ? indexes[i] : i;
		if (at < b->n && !b->v[at].gone)
			j->v[j->n++] = &b->v[at];
		else
			some |= at < b->n;
	}
	box_run(b, &j->job);
	free(j->v);
	return j->job.rc == 1 && some ? 0 : box_result(&j->job, e);
}

/* --- facts -------------------------------------------------- */

static void sizes_run(void *rec)
{
	struct mails_job *j = rec;
	struct store_box *b = j->job.box;
	j->job.rc = b->account->driver->sizes(b->table, j->v, j->n, j->vsize, &j->job.err);
}

/* Is there a mail whose fact is not known? Most mails tell their size by name. */
static bool any_unknown(const struct store_box *b, const size_t *indexes, size_t n, bool vsize)
{
	for (size_t i = 0; i < (indexes ? n : b->n); i++) {
		size_t at = indexes ? indexes[i] : i;
		if (at < b->n && !b->v[at].gone &&
		        (vsize ? b->v[at].vsize == 0 : b->v[at].internaldate == 0))
			return true;
	}
	return false;
}

static int facts(struct store_box *b, const size_t *indexes, size_t n, bool vsize, struct err *e)
{
	if (!any_unknown(b, indexes, n, vsize))
		return 1;
	struct mails_job j = { .vsize = vsize };
	return run(b, &j, sizes_run, indexes, n, e) < 0 ? -1 : 1;
}

int store_box_sizes(struct store_box *b, const size_t *indexes, size_t n, struct err *e)
{
	return facts(b, indexes, n, true, e);
}

int store_box_dates(struct store_box *b, const size_t *indexes, size_t n, struct err *e)
{
	return facts(b, indexes, n, false, e);
}

static void open_run(void *rec)
{
	struct mails_job *j = rec;
	struct store_box *b = j->job.box;
	j->job.rc = j->n == 0 ? 0 : b->account->driver->open(b->table, j->v[0], &j->content, &j->job.err);
}

int store_box_content(struct store_box *b, size_t index, struct store_content *out, struct err *e)
{
	struct mails_job j = { .n = 0 };
	if (index >= b->n)
		return 0;
	int rc = run(b, &j, open_run, &index, 1, e);
	if (rc == 1)
		*out = j.content;
	return rc;
}

/* --- changes -------------------------------------------------- */

static int check_writable(const struct store_box *b, struct err *e)
{
	return b->writable ? 0 : err_set(e, ERR_PERM, "mailbox was opened read-only");
}

static void flags_run(void *rec)
{
	struct mails_job *j = rec;
	struct store_box *b = j->job.box;
	j->job.rc = b->account->driver->flags(b->table, j->v, j->n, j->change, &j->job.err);
}

int store_box_flags(struct store_box *b, const size_t *indexes, size_t n,
        const struct store_flag_change *c, struct err *e)
{
	struct mails_job j = { .change = c };
	return check_writable(b, e) < 0 ? -1 : run(b, &j, flags_run, indexes, n, e);
}

static void remove_run(void *rec)
{
	struct mails_job *j = rec;
	struct store_box *b = j->job.box;
	j->job.rc = b->account->driver->remove(b->table, j->v, j->n, &j->job.err);
}

int store_box_expunge(struct store_box *b, const size_t *indexes, size_t n, struct err *e)
{
	struct mails_job j = { .n = 0 };
	if (check_writable(b, e) < 0)
		return -1;
	return run(b, &j, remove_run, indexes, n, e) < 0 ? -1 : 1;
}
