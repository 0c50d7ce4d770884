/* Work of a session on single mails: sizes, content, flags, expunge. */
#include <stdlib.h>

#include "lib/store/box.h"
#include "lib/store/maildir_mail.h"
#include "lib/sys/sys.h"

struct mails_job {
	struct box_job job;
	const size_t *indexes; /* NULL: all */
	size_t n;
	const struct store_flag_change *change;
	bool vsize;
	int fd;
};

static struct store_msg *nth(struct mails_job *j, size_t i)
{
	struct store_box *b = j->job.box;
	size_t at = j->indexes ? j->indexes[i] : i;
	return at < b->n ? &b->v[at] : NULL;
}

/* Call ONE for each mail of the job with its directories open. 1 all, 0 some are gone, -1. */
static void each(struct mails_job *j,
        int (*one)(
                struct mails_job *j, const struct maildir_dir *d, struct store_msg *m, void *arg),
        void *arg,
        int (*before)(struct mails_job *j, int root, const struct maildir_dir *d, void *arg))
{
	struct maildir_box *t = j->job.box->table;
	struct maildir_dir d;
	int root;
	j->job.rc = maildir_box_dirs(t, &root, &d, &j->job.err);
	if (j->job.rc != 1)
		return;
	if (before)
		j->job.rc = before(j, root, &d, arg);
	for (size_t i = 0; i < j->n && j->job.rc >= 0; i++) {
		struct store_msg *m = nth(j, i);
		if (!m)
			continue;
		int rc = m->gone ? 0 : one(j, &d, m, arg);
		if (rc == 0)
			m->gone = true;
		if (rc <= 0)
			j->job.rc = rc;
	}
	maildir_box_flush(t);
	maildir_dir_close(&d);
	sys_close(root);
}

static int run(struct store_box *b, struct mails_job *j, struct err *e)
{
	if (!j->indexes)
		j->n = b->n;
	box_run(b, &j->job);
	return box_result(&j->job, e);
}

/* --- facts -------------------------------------------------- */

static void take_facts(struct store_box *b, struct store_msg *m)
{
	const struct box_rec *r = maildir_box_find(b->table, m->uid);
	if (!r)
		return;
	m->size = r->size;
	m->vsize = r->vsize;
	m->internaldate = r->mtime;
}

static int stat_one(
        struct mails_job *j, const struct maildir_dir *d, struct store_msg *m, void *arg)
{
	(void)arg;
	int rc = maildir_mail_stat(j->job.box->table, d, m->uid, j->vsize, &j->job.err);
	if (rc == 1)
		take_facts(j->job.box, m);
	return rc;
}

/* UIDs of the job's mails that are there. Freed by the caller. */
static uint32_t *uids_of(struct mails_job *j, size_t *n)
{
	uint32_t *uids = mem_array(j->n ? j->n : 1, sizeof(*uids));
	*n = 0;
	for (size_t i = 0; i < j->n; i++) {
		const struct store_msg *m = nth(j, i);
		if (m && !m->gone)
			uids[(*n)++] = m->uid;
	}
	return uids;
}

static int stat_before(struct mails_job *j, int root, const struct maildir_dir *d, void *arg)
{
	size_t n;
	(void)root;
	(void)d;
	(void)arg;
	if (j->vsize) {
		uint32_t *uids = uids_of(j, &n);
		maildir_box_recall(j->job.box->table, uids, n);
		free(uids);
	}
	return 1;
}

static void stat_run(void *rec)
{
	struct mails_job *j = rec;
	each(j, stat_one, NULL, stat_before);
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
	struct mails_job j = { .job.run = stat_run, .indexes = indexes, .n = n, .vsize = vsize };
	return run(b, &j, e) < 0 ? -1 : 1;
}

int store_box_sizes(struct store_box *b, const size_t *indexes, size_t n, struct err *e)
{
	return facts(b, indexes, n, true, e);
}

int store_box_dates(struct store_box *b, const size_t *indexes, size_t n, struct err *e)
{
	return facts(b, indexes, n, false, e);
}

static int open_one(
        struct mails_job *j, const struct maildir_dir *d, struct store_msg *m, void *arg)
{
	(void)arg;
	int rc = maildir_mail_open(j->job.box->table, d, m->uid, &j->fd, &j->job.err);
	if (rc == 1)
		take_facts(j->job.box, m);
	return rc;
}

static void open_run(void *rec)
{
	struct mails_job *j = rec;
	each(j, open_one, NULL, NULL);
}

int store_box_content(struct store_box *b, size_t index, struct store_content *out, struct err *e)
{
	struct mails_job j = { .job.run = open_run, .indexes = &index, .n = 1, .fd = -1 };
	if (index >= b->n)
		return 0;
	int rc = run(b, &j, e);
	if (rc == 1)
		*out = (struct store_content){
			.fd = j.fd, .size = b->v[index].size, .vsize = b->v[index].vsize
		};
	return rc;
}

/* --- flags -------------------------------------------------- */

static int flags_before(struct mails_job *j, int root, const struct maildir_dir *d, void *arg)
{
	struct mail_flag_change *c = arg;
	const struct store_flag_change *want = j->change;
	return maildir_keyword_mask(j->job.box->table, root, d, want->keywords, want->nkeywords,
	        want->op != STORE_FLAGS_REMOVE, &c->keywords, &j->job.err);
}

static int flags_one(
        struct mails_job *j, const struct maildir_dir *d, struct store_msg *m, void *arg)
{
	int rc = maildir_mail_flags(j->job.box->table, d, m->uid, arg, &j->job.err);
	if (rc == 1) {
		const struct box_rec *r = maildir_box_find(j->job.box->table, m->uid);
		m->flags = r->flags;
		m->keywords = r->keywords;
	}
	return rc;
}

static void flags_run(void *rec)
{
	struct mails_job *j = rec;
	struct mail_flag_change c = { .op = j->change->op, .flags = j->change->flags };
	each(j, flags_one, &c, flags_before);
}

static int check_writable(const struct store_box *b, struct err *e)
{
	return b->writable ? 0 : err_set(e, ERR_PERM, "mailbox was opened read-only");
}

int store_box_flags(struct store_box *b, const size_t *indexes, size_t n,
        const struct store_flag_change *c, struct err *e)
{
	if (check_writable(b, e) < 0)
		return -1;
	struct mails_job j = { .job.run = flags_run, .indexes = indexes, .n = n, .change = c };
	return run(b, &j, e);
}

/* --- expunge -------------------------------------------------- */

static int remove_one(
        struct mails_job *j, const struct maildir_dir *d, struct store_msg *m, void *arg)
{
	(void)arg;
	int rc = maildir_mail_remove(j->job.box->table, d, m->uid, &j->job.err);
	if (rc == 1)
		m->gone = true;
	return rc;
}

/* First the tombstones, then the files: a delivery that is tried again finds one or the other. */
static int remove_before(struct mails_job *j, int root, const struct maildir_dir *d, void *arg)
{
	size_t n;
	(void)root;
	(void)d;
	(void)arg;
	uint32_t *uids = uids_of(j, &n);
	maildir_box_bury(j->job.box->table, uids, n);
	free(uids);
	return 1;
}

static void remove_run(void *rec)
{
	struct mails_job *j = rec;
	each(j, remove_one, NULL, remove_before);
}

int store_box_expunge(struct store_box *b, const size_t *indexes, size_t n, struct err *e)
{
	if (check_writable(b, e) < 0)
		return -1;
	struct mails_job j = { .job.run = remove_run, .indexes = indexes, .n = n };
	return run(b, &j, e) < 0 ? -1 : 1;
}
