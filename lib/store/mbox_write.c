/* An mbox file made what its records want: fields changed in place where they fit, the rest by the journal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mail/mbox_text.h"
#include "lib/store/mbox_box.h"
#include "lib/store/mbox_journal.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#define HEAD_LOOK  (64 * 1024) /* of a header, where fields are looked for to be changed in place */
#define DATE_MAX   INT64_C(253370000000) /* in 9998 */
#define BLOCK_MAX  (16 * 1024) /* of fields of ours */

/* --- in place -------------------------------------------------- */

/* The octets from the first to the last of our fields of one mail. */
struct patch {
	uint64_t at;
	char *text;
	size_t len;
};

struct where { /* of the fields' values in a header */
	uint64_t at[MBOX_FIELDS];
	size_t len[MBOX_FIELDS];
	struct mbox_meta meta;
	struct keywords kw;
};

static int note_field(void *ctx, enum mbox_field f, struct sv value, uint64_t at)
{
	struct where *w = ctx;
	w->at[f] = at;
	w->len[f] = value.len;
	mbox_meta_field(&w->meta, f, value, &w->kw);
	return 0;
}

/* The new value of F over the old one. False: it does not fit. */
static bool put_value(struct mbox_io *io, const struct mbox_rec *r, const struct mbox_base *base, enum mbox_field f,
	const struct where *w, char *head, uint64_t start)
{
	struct buf v;
	buf_init(&v, BLOCK_MAX);
	int rc = base ? mbox_base_value(&v, base, &io->b->kw) : mbox_meta_value(&v, f, &r->want, &io->b->kw);
	bool fits = rc == 0 && (w->at[f] ? v.len <= w->len[f] : v.len == 0);
	if (fits && w->at[f]) {
		memset(head + (w->at[f] - start), ' ', w->len[f]);
		memcpy(head + (w->at[f] - start), v.p ? v.p : "", v.len);
	}
	buf_free(&v);
	return fits;
}

/* 1 P is what to write; 0 it does not fit; -1 (with *OLD: the mail is not what the table says). */
static int make_patch(struct mbox_io *io, const struct mbox_rec *r, const struct mbox_base *base, enum mbox_field bf,
	struct patch *p, bool *old, struct err *e)
{
	static const enum mbox_field fields[] = { MBOX_F_X_UID, MBOX_F_STATUS, MBOX_F_X_STATUS, MBOX_F_X_KEYWORDS };
	uint64_t start = r->mail.from, all = r->mail.next - r->mail.from;
	size_t n = all < HEAD_LOOK ? (size_t)all : HEAD_LOOK;
	if (!r->mail.plain)
		return 0;
	char *head = mem_alloc(n + 1);
	struct where *w = mem_alloc(sizeof(*w));
	struct mbox_scan *s = mem_alloc(sizeof(*s));
	const struct mbox_sink sink = { .field = note_field, .ctx = w };
	int rc = 1;
	if (sys_pread_all(io->f.fd, head, n, (off_t)start) < 0)
		rc = err_sys(e, errno, "read %s", io->f.path);
	mbox_scan_init(s, &sink, start);
	if (rc == 1 && mbox_scan_put(s, sv_n(head, n)) < 0) {
		*old = s->wrong;
		rc = -1;
	}
	if (rc == 1 && bf != MBOX_F_X_IMAP && w->meta.uid != r->disk.uid) {
		*old = w->at[MBOX_F_X_UID] != 0 || all <= HEAD_LOOK;
		rc = *old ? -1 : 0;
	}
	if (rc == 1 && base && !(w->at[bf] && put_value(io, r, base, bf, w, head, start)))
		rc = 0;
	for (size_t i = 0; rc == 1 && bf != MBOX_F_X_IMAP && i < ARRAY_LEN(fields); i++)
		rc = put_value(io, r, NULL, fields[i], w, head, start);
	uint64_t from = UINT64_MAX, to = 0;
	for (int f = 0; f < MBOX_FIELDS && rc == 1; f++)
		if (mbox_field_is_meta((enum mbox_field)f) && w->at[f]) {
			from = w->at[f] < from ? w->at[f] : from;
			to = w->at[f] + w->len[f] > to ? w->at[f] + w->len[f] : to;
		}
	if (rc == 1 && from < to) {
		*p = (struct patch){ .at = from, .len = (size_t)(to - from) };
		p->text = mem_alloc(p->len);
		memcpy(p->text, head + (from - start), p->len);
	}
	free(s);
	free(w);
	free(head);
	return rc;
}

/* --- what is to be done -------------------------------------------------- */

struct plan {
	struct mbox_io *io;
	struct mbox_base base;
	bool base_other;
	enum mbox_field bf;
	struct mbox_rec *holder; /* of the base; NULL: no mail stays */
	struct patch *v;
	size_t npatches;
	size_t first;  /* record from which on the file is written anew; n: none */
	bool pseudo;   /* from the internal mail on */
	bool empties;
};

static bool rec_differs(const struct plan *p, const struct mbox_rec *r)
{
	const struct mbox_meta *a = &r->disk, *b = &r->want;
	return (r == p->holder && p->base_other) || a->uid != b->uid || a->flags != b->flags ||
	       a->keywords != b->keywords || a->old != b->old;
}

static void find_holder(struct plan *p)
{
	struct mbox_box *b = p->io->b;
	p->bf = MBOX_F_X_IMAPBASE;
	if (b->has_pseudo) {
		p->holder = &b->pseudo;
		p->bf = MBOX_F_X_IMAP;
	}
	for (size_t i = 0; i < b->n && !p->holder; i++)
		if (!b->recs[i].drop)
			p->holder = &b->recs[i];
	bool moves = !b->has_pseudo && b->n > 0 && p->holder != &b->recs[0];
	p->base = (struct mbox_base){ b->st.uidvalidity, b->st.nextuid - 1 };
	p->base_other = moves || b->kw_added || b->base.uidvalidity != p->base.uidvalidity ||
			b->base.last != p->base.last;
}

/* 1, 0 the table is old, -1. */
static int plan_one(struct plan *p, const struct mbox_rec *r, struct err *e)
{
	bool old = false;
	bool holds = r == p->holder;
	int rc = make_patch(p->io, r, holds && p->base_other ? &p->base : NULL, holds ? p->bf : MBOX_F_X_IMAPBASE,
		&p->v[p->npatches], &old, e);
	if (rc == 1)
		p->npatches += p->v[p->npatches].text != NULL;
	return rc == 1 ? 1 : rc == 0 ? 2 : old ? 0 : -1;
}

/* Which mails are changed in place, and from which one on the file is written. 1, 0, -1. */
static int make_plan(struct plan *p, struct err *e)
{
	struct mbox_box *b = p->io->b;
	find_holder(p);
	p->first = b->n;
	p->v = mem_array(b->n + 2, sizeof(*p->v));
	if (b->has_pseudo && p->base_other) {
		int rc = plan_one(p, &b->pseudo, e);
		if (rc <= 0)
			return rc;
		p->pseudo = rc == 2;
		if (p->pseudo)
			p->first = 0;
	}
	for (size_t i = 0; i < p->first; i++) {
		struct mbox_rec *r = &b->recs[i];
		if (!r->drop && !rec_differs(p, r))
			continue;
		int rc = r->drop ? 2 : plan_one(p, r, e);
		if (rc <= 0)
			return rc;
		if (rc == 2)
			p->first = i;
	}
	return 1;
}

static void plan_free(struct plan *p)
{
	for (size_t i = 0; i < p->npatches; i++)
		free(p->v[i].text);
	free(p->v);
}

/* --- the new end of the file -------------------------------------------------- */

struct tail {
	struct plan *p;
	struct mbox_journal j;
	struct mbox_rewrite w;
	struct buf block;
	struct mbox_rec *r; /* the record that is passing */
	size_t at;
	bool pseudo, old;
	struct err *e;
};

static int to_journal(void *ctx, struct sv octets)
{
	struct tail *t = ctx;
	return mbox_journal_put(&t->j, octets, t->e);
}

static int tail_begin(void *ctx)
{
	struct tail *t = ctx;
	struct mbox_box *b = t->p->io->b;
	if (t->pseudo)
		t->r = &b->pseudo;
	else if (t->at < b->n)
		t->r = &b->recs[t->at];
	else
		t->r = NULL;
	t->old |= !t->r;
	if (t->old)
		return -1;
	bool holds = t->r == t->p->holder;
	buf_reset(&t->block);
	if (mbox_meta_block(&t->block, &t->r->want, &b->kw, holds ? &t->p->base : NULL,
		    holds ? t->p->bf : MBOX_F_X_IMAPBASE) < 0)
		return err_set(t->e, ERR_BUG, "%s: fields are too long", t->p->io->f.path);
	t->w = (struct mbox_rewrite){ .block = buf_sv(&t->block), .out = to_journal, .ctx = t };
	return 0;
}

static int tail_piece(void *ctx, enum mbox_piece kind, struct sv octets)
{
	struct tail *t = ctx;
	return t->r->drop ? 0 : mbox_rewrite_piece(&t->w, kind, octets);
}

static int tail_mail(void *ctx, const struct mbox_found *m)
{
	struct tail *t = ctx;
	t->old |= m->hash != t->r->mail.hash || m->from != t->r->mail.from;
	if (t->pseudo)
		t->pseudo = false;
	else
		t->at++;
	return t->old ? -1 : 0;
}

/* Octets OFFSET.. of FD through a scanner. */
static int pump(struct mbox_scan *s, int fd, uint64_t offset, uint64_t size, const char *path, struct err *e)
{
	char *block = mem_alloc(MBOX_BLOCK);
	int rc = 0;
	while (size > 0 && rc == 0) {
		size_t n = size < MBOX_BLOCK ? (size_t)size : MBOX_BLOCK;
		if (sys_pread_all(fd, block, n, (off_t)offset) < 0)
			rc = err_sys(e, errno, "read mail for %s", path);
		else
			rc = mbox_scan_put(s, sv_n(block, n));
		offset += n;
		size -= n;
	}
	free(block);
	return rc;
}

/* The mails that stay. */
static int write_kept(struct tail *t, uint64_t from, uint64_t end)
{
	struct mbox_scan *s = mem_alloc(sizeof(*s));
	const struct mbox_sink sink = {
		.mail_begin = tail_begin, .piece = tail_piece, .mail = tail_mail, .ctx = t
	};
	mbox_scan_init(s, &sink, from);
	int rc = pump(s, t->p->io->f.fd, from, end - from, t->p->io->f.path, t->e);
	if (rc == 0)
		rc = mbox_scan_end(s);
	t->old |= rc == 0 && t->at != t->p->io->b->n;
	free(s);
	return t->old ? -1 : rc;
}

/* A mail begins after an empty line. */
static int write_gap(struct tail *t)
{
	if (t->j.last[1] == '\0')
		return 0;
	int rc = t->j.last[1] != '\n' ? to_journal(t, SV("\n\n")) : 0;
	if (rc == 0 && t->j.last[1] == '\n' && t->j.last[0] != '\n' && t->j.last[0] != '\r')
		rc = to_journal(t, SV("\n"));
	return rc;
}

/* --- new mails -------------------------------------------------- */

static int put_scanned(struct mbox_scan *s, struct buf *b)
{
	int rc = b->overflow ? -1 : mbox_scan_put(s, buf_sv(b));
	buf_reset(b);
	return rc;
}

/* M as it comes in, From_ line first, through a scanner. */
static int feed_content(struct mbox_scan *s, const struct mbox_new *m, const char *path, struct err *e)
{
	struct mbox_quote q = { .matched = 0 };
	struct buf out;
	char *block = mem_alloc(MBOX_BLOCK);
	uint64_t offset = m->offset, size = m->size;
	buf_init(&out, (size_t)8 * MBOX_BLOCK);
	int64_t date = m->date < 0 || m->date > DATE_MAX ? 0 : m->date;
	int rc = mbox_from_line(&out, SV_NONE, date, clock_tz_min(date));
	while (size > 0 && rc == 0) {
		size_t n = size < MBOX_BLOCK ? (size_t)size : MBOX_BLOCK;
		if (sys_pread_all(m->fd, block, n, (off_t)offset) < 0)
			rc = err_sys(e, errno, "read mail for %s", path);
		else if ((rc = mbox_quote_put(&q, sv_n(block, n), &out)) == 0)
			rc = put_scanned(s, &out);
		offset += n;
		size -= n;
	}
	if (rc == 0)
		rc = mbox_quote_end(&q, &out);
	if (rc == 0)
		rc = put_scanned(s, &out);
	buf_free(&out);
	free(block);
	return rc;
}

static int new_block(struct tail *t, const struct mbox_new *m, bool holds)
{
	struct mbox_box *b = t->p->io->b;
	buf_reset(&t->block);
	int rc = mbox_meta_block(&t->block, &m->meta, &b->kw, holds ? &t->p->base : NULL, MBOX_F_X_IMAPBASE);
	return rc < 0 ? err_set(t->e, ERR_BUG, "%s: fields are too long", t->p->io->f.path) : 0;
}

static int write_new(struct tail *t, const struct mbox_new *m, bool holds)
{
	const char *path = t->p->io->f.path;
	struct err why = ERR_INIT;
	if (write_gap(t) < 0 || new_block(t, m, holds) < 0)
		return -1;
	t->w = (struct mbox_rewrite){ .block = buf_sv(&t->block), .out = to_journal, .ctx = t };
	struct mbox_scan *s = mem_alloc(sizeof(*s));
	const struct mbox_sink sink = { .piece = m->raw ? mbox_rewrite_piece : mbox_rewrite_content, .ctx = &t->w };
	mbox_scan_init(s, &sink, 0);
	struct err *mine = t->e;
	t->e = &why;
	int rc = m->raw ? pump(s, m->fd, m->offset, m->size, path, &why) : feed_content(s, m, path, &why);
	if (rc == 0)
		rc = mbox_scan_end(s);
	if (rc == 0 && !m->raw)
		rc = to_journal(t, SV("\n"));
	free(s);
	t->e = mine;
	if (rc < 0 && t->e) {
		if (why.cls == ERR_NONE)
			err_set(&why, ERR_TEMP, "%s: a mail cannot be written", path);
		*t->e = why;
	}
	return rc;
}

/* --- commit -------------------------------------------------- */

static int write_patches(const struct plan *p, struct err *e)
{
	for (size_t i = 0; i < p->npatches; i++)
		if (sys_pwrite_all(p->io->f.fd, p->v[i].text, p->v[i].len, (off_t)p->v[i].at) < 0)
			return err_sys(e, errno, "write %s", p->io->f.path);
	return 0;
}

/* 1, 0 the table is old, -1. */
static int write_tail(struct plan *p, struct mbox_new *add, size_t nadd, struct err *e)
{
	struct mbox_box *b = p->io->b;
	uint64_t size = (uint64_t)b->seen.st_size;
	uint64_t from = p->pseudo ? b->pseudo.mail.from : p->first < b->n ? b->recs[p->first].mail.from : size;
	struct tail t = { .p = p, .at = p->first, .pseudo = p->pseudo, .e = e };
	const struct mbox_ctl *c = &p->io->ctl;
	if (mbox_journal_begin(&t.j, c->dir, c->path, c->journal, p->io->f.fd, from, e) < 0)
		return -1;
	buf_init(&t.block, BLOCK_MAX);
	int rc = from < size ? write_kept(&t, from, size) : 0;
	for (size_t i = 0; i < nadd && rc == 0; i++)
		rc = write_new(&t, &add[i], i == 0 && !p->holder);
	if (rc == 0)
		rc = mbox_journal_seal(&t.j, e);
	if (rc == 0 && write_patches(p, e) < 0) {
		mbox_journal_cancel(&t.j);
		rc = -1;
	}
	if (rc == 0)
		rc = mbox_journal_apply(&t.j, e);
	mbox_journal_end(&t.j);
	buf_free(&t.block);
	return rc == 0 ? 1 : t.old ? 0 : -1;
}

static int write_all(struct plan *p, struct mbox_new *add, size_t nadd, struct err *e)
{
	struct mbox_box *b = p->io->b;
	if (p->first < b->n || p->pseudo || nadd > 0)
		return write_tail(p, add, nadd, e);
	if (p->npatches == 0)
		return 1;
	if (write_patches(p, e) < 0)
		return -1;
	return sys_fsync(p->io->f.fd) < 0 ? err_sys(e, errno, "fsync %s", p->io->f.path) : 1;
}

static int order_uids(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* The mails that the file calls old from now on, while nobody was told of them before. */
static void take_recent(struct mbox_box *b)
{
	size_t n = b->ntaken;
	for (size_t i = 0; i < b->n; i++) {
		const struct mbox_rec *r = &b->recs[i];
		if (r->drop || r->disk.old || !r->want.old)
			continue;
		b->taken = mem_realloc(b->taken, (b->ntaken + 1) * sizeof(*b->taken));
		b->taken[b->ntaken++] = r->want.uid;
	}
	if (b->ntaken > n)
		qsort(b->taken, b->ntaken, sizeof(*b->taken), order_uids);
}

/* The table after the file has changed. */
static int read_back(struct plan *p, struct err *e)
{
	struct mbox_box *b = p->io->b;
	size_t from = p->first;
	if (p->pseudo)
		from = 0;
	else if (from > 0 && from == b->n)
		from--; /* what is behind it may have become the empty line that ends it */
	take_recent(b);
	for (size_t i = 0; i < from; i++)
		b->recs[i].disk = b->recs[i].want;
	b->base = p->base;
	b->kw_added = false;
	return mbox_io_scan(p->io, from, e);
}

int mbox_io_commit(struct mbox_io *io, struct mbox_new *add, size_t nadd, struct err *e)
{
	struct mbox_box *b = io->b;
	struct plan p = { .io = io };
	uint32_t next = b->st.nextuid;
	for (size_t i = 0; i < nadd; i++)
		add[i].meta.uid = b->st.nextuid++;
	int rc = make_plan(&p, e);
	p.empties = rc == 1 && !p.holder && nadd == 0;
	if (rc == 1 && p.empties) /* from then on only the state knows the next UID */
		rc = mbox_ctl_save(&io->ctl, &b->st, e) < 0 ? -1 : 1;
	if (rc == 1)
		rc = write_all(&p, add, nadd, e);
	if (rc != 1)
		b->st.nextuid = next;
	struct err why = ERR_INIT;
	bool known = rc == 1 && read_back(&p, &why) == 0;
	plan_free(&p);
	b->loaded = b->loaded && known;
	if (rc != 1)
		return rc;
	/* it has come true; what is not remembered of it, the file says */
	if (known)
		mbox_io_learn(io);
	if (!known || mbox_ctl_save(&io->ctl, &b->st, &why) < 0)
		log_warn("%s", why.text);
	b->st_changed = false;
	return 1;
}
