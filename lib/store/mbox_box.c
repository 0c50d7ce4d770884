#include "lib/store/mbox_box.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store/mbox_journal.h"
#include "lib/store/mbox_open.h"
#include "lib/sys/clock.h"
#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

#define TICK_NS 50000000 /* times of files are coarser than a system call */

struct mbox_box *mbox_box_new(const struct mbox_box_def *def)
{
	struct mbox_box *b = mem_alloc(sizeof(*b));
	b->def = *def;
	b->def.place.root = mem_strdup(def->place.root);
	b->def.place.rel = mem_strdup(def->place.rel);
	b->def.ctl_path = mem_strdup(def->ctl_path);
	return b;
}

static void truncate_recs(struct mbox_box *b, size_t n)
{
	while (b->n > n)
		free(b->recs[--b->n].key);
}

void mbox_box_free(struct mbox_box *b)
{
	if (!b)
		return;
	truncate_recs(b, 0);
	free(b->recs);
	free(b->by_uid);
	free(b->taken);
	mbox_state_free(&b->st);
	free((char *)(uintptr_t)b->def.place.root);
	free((char *)(uintptr_t)b->def.place.rel);
	free((char *)(uintptr_t)b->def.ctl_path);
	free(b);
}

/* --- reading -------------------------------------------------- */

struct reading {
	struct mbox_box *b;
	struct mbox_meta meta;
	char key[STORE_KEY_LEN + 1];
	struct mbox_base base;
	bool full;
};

static int on_begin(void *ctx)
{
	struct reading *r = ctx;
	r->meta = (struct mbox_meta){ .uid = 0 };
	r->key[0] = '\0';
	r->base = (struct mbox_base){ .uidvalidity = 0 };
	return 0;
}

static int on_field(void *ctx, enum mbox_field f, struct sv value, uint64_t at)
{
	struct reading *r = ctx;
	struct mbox_box *b = r->b;
	(void)at;
	bool first = b->n == 0 && !b->has_pseudo;
	if (f == MBOX_F_KEY) {
		if (sv_copyz(sv_trim(value), r->key, sizeof(r->key)) < 0)
			r->key[0] = '\0';
	} else if (first && (f == MBOX_F_X_IMAPBASE || f == MBOX_F_X_IMAP)) {
		(void)mbox_base_field(&r->base, value, &b->kw);
	} else {
		mbox_meta_field(&r->meta, f, value, &b->kw);
	}
	return 0;
}

static int on_mail(void *ctx, const struct mbox_found *m)
{
	struct reading *r = ctx;
	struct mbox_box *b = r->b;
	if (b->n >= MBOX_MAILS_MAX) {
		r->full = true;
		return -1;
	}
	struct mbox_rec rec = { .mail = *m, .disk = r->meta, .want = r->meta, .recent = !r->meta.old };
	if (m->local)
		rec.mail.date -= clock_tz_min(m->date) * 60;
	if (b->n == 0 && !b->has_pseudo) {
		b->base = r->base;
		if (m->pseudo) {
			b->pseudo = rec;
			b->has_pseudo = true;
			return 0;
		}
	}
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 64;
		b->recs = mem_realloc(b->recs, b->cap * sizeof(*b->recs));
	}
	if (r->key[0])
		rec.key = mem_strdup(r->key);
	b->recs[b->n++] = rec;
	return 0;
}

int mbox_io_stamp(struct mbox_io *io, struct err *e)
{
	struct mbox_box *b = io->b;
	if (sys_fstat(io->f.fd, &b->seen) < 0)
		return err_sys(e, errno, "stat %s", io->f.path);
	if (b->seen.st_size > MBOX_SIZE_MAX)
		return err_set(e, ERR_TEMP, "%s: too large", io->f.path);
	struct timespec now = clock_wall();
	int64_t ns = (now.tv_sec - b->seen.st_mtim.tv_sec) * INT64_C(1000000000) + now.tv_nsec -
		b->seen.st_mtim.tv_nsec;
	b->fresh = ns < TICK_NS;
	return 0;
}

static int feed(struct mbox_io *io, struct mbox_scan *s, uint64_t at, struct err *e)
{
	char *block = mem_alloc(MBOX_BLOCK);
	uint64_t end = (uint64_t)io->b->seen.st_size;
	int rc = 0;
	while (at < end && rc == 0) {
		size_t want = end - at < MBOX_BLOCK ? (size_t)(end - at) : MBOX_BLOCK;
		ssize_t n = sys_pread(io->f.fd, block, want, (off_t)at);
		if (n <= 0) {
			rc = err_sys(e, n < 0 ? errno : EIO, "read %s", io->f.path);
			break;
		}
		rc = mbox_scan_put(s, sv_n(block, (size_t)n));
		at += (uint64_t)n;
	}
	free(block);
	return rc;
}

int mbox_io_scan(struct mbox_io *io, size_t first, struct err *e)
{
	struct mbox_box *b = io->b;
	struct reading r = { .b = b };
	struct err why = ERR_INIT;
	const struct mbox_sink sink = { .mail_begin = on_begin, .field = on_field, .mail = on_mail, .ctx = &r };
	uint64_t at = first > 0 ? b->recs[first - 1].mail.next : 0;
	struct mbox_scan *s = mem_alloc(sizeof(*s));
	truncate_recs(b, first);
	if (first == 0) {
		b->has_pseudo = false;
		b->base = (struct mbox_base){ .uidvalidity = 0 };
	}
	mbox_scan_init(s, &sink, at);
	int rc = mbox_io_stamp(io, e);
	if (rc == 0) {
		rc = feed(io, s, at, &why);
		if (rc == 0)
			rc = mbox_scan_end(s);
		if (rc < 0 && why.cls == ERR_NONE)
			err_set(&why, ERR_TEMP, r.full ? "%s: more than %u mails" : "%s is not an mbox file",
				io->f.path, MBOX_MAILS_MAX);
		if (rc < 0 && e)
			*e = why;
	}
	b->loaded = rc == 0;
	if (rc < 0) /* a table in part is no table */
		truncate_recs(b, 0);
	free(s);
	return rc;
}

/* --- the order of UIDs -------------------------------------------------- */

struct uid_index {
	uint32_t uid;
	size_t at;
};

static int order(const void *a, const void *b)
{
	const struct uid_index *x = a, *y = b;
	return (x->uid > y->uid) - (x->uid < y->uid);
}

static void sort_uids(struct mbox_box *b)
{
	struct uid_index *v = mem_array(b->n + 1, sizeof(*v));
	bool ascends = true;
	for (size_t i = 0; i < b->n; i++) {
		v[i] = (struct uid_index){ b->recs[i].want.uid, i };
		ascends &= i == 0 || v[i].uid > v[i - 1].uid;
	}
	if (!ascends)
		qsort(v, b->n, sizeof(*v), order);
	b->by_uid = mem_realloc(b->by_uid, (b->n + 1) * sizeof(*b->by_uid));
	for (size_t i = 0; i < b->n; i++)
		b->by_uid[i] = v[i].at;
	free(v);
}

struct mbox_rec *mbox_box_find(struct mbox_box *b, uint32_t uid)
{
	size_t lo = 0, hi = b->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (b->recs[b->by_uid[mid]].want.uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < b->n && b->recs[b->by_uid[lo]].want.uid == uid ? &b->recs[b->by_uid[lo]] : NULL;
}

/* --- UIDs -------------------------------------------------- */

void mbox_io_learn(struct mbox_io *io)
{
	struct mbox_box *b = io->b;
	size_t n = 0;
	struct mbox_known *v = mem_array(b->n + 1, sizeof(*v));
	if (b->has_pseudo)
		v[n++] = (struct mbox_known){ .hash = b->pseudo.mail.hash };
	for (size_t i = 0; i < b->n; i++)
		v[n++] = (struct mbox_known){ .hash = b->recs[i].mail.hash, .uid = b->recs[i].want.uid };
	if (n != b->st.n || (n > 0 && memcmp(v, b->st.v, n * sizeof(*v)) != 0))
		b->st_changed = true;
	free(b->st.v);
	b->st.v = v;
	b->st.n = n;
	sort_uids(b);
	for (size_t i = 0, k = 0; i < b->n && k < b->ntaken; i++) {
		struct mbox_rec *r = &b->recs[b->by_uid[i]];
		while (k < b->ntaken && b->taken[k] < r->want.uid)
			k++;
		r->recent |= k < b->ntaken && b->taken[k] == r->want.uid;
	}
}

static int load_state(struct mbox_io *io, uint32_t *fresh, struct err *e)
{
	struct mbox_box *b = io->b;
	mbox_state_free(&b->st);
	b->st_changed = false;
	*fresh = 0;
	if (mbox_ctl_load(&io->ctl, &b->st, e) < 0)
		return -1;
	if (b->st.uidvalidity == 0 || b->st.nextuid > MBOX_UID_MAX - MBOX_MAILS_MAX ||
		(b->base.uidvalidity != 0 && b->base.last >= MBOX_UID_MAX - MBOX_MAILS_MAX))
		return mbox_ctl_uidvalidity(&io->ctl, b->def.place.lock_timeout_ms, fresh, e);
	return 0;
}

static int give_uids(struct mbox_io *io, struct err *e)
{
	struct mbox_box *b = io->b;
	uint32_t fresh;
	if (load_state(io, &fresh, e) < 0)
		return -1;
	uint32_t validity = b->st.uidvalidity, next = b->st.nextuid;
	uint64_t first = b->has_pseudo ? b->pseudo.mail.hash : b->n > 0 ? b->recs[0].mail.hash : 0;
	mbox_uids_assign(b->recs, b->n, &b->base, first, fresh, &b->st);
	if (!b->st.guid[0]) {
		(void)snprintf(b->st.guid, sizeof(b->st.guid), "%016" PRIx64 "%016" PRIx64, rand_u64(), rand_u64());
		b->st_changed = true;
	}
	b->st_changed |= b->st.uidvalidity != validity || b->st.nextuid != next;
	for (size_t i = 0; i < b->n && b->def.writable; i++)
		b->recs[i].want.old = true;
	mbox_io_learn(io);
	return 0;
}

/* --- looking for changes -------------------------------------------------- */

enum look { LOOK_SAME, LOOK_GROWN, LOOK_OTHER };

static enum look look(const struct mbox_box *b, const struct stat *now)
{
	const struct stat *was = &b->seen;
	if (!b->loaded || now->st_dev != was->st_dev || now->st_ino != was->st_ino)
		return LOOK_OTHER;
	if (now->st_size == was->st_size && now->st_mtim.tv_sec == was->st_mtim.tv_sec &&
		now->st_mtim.tv_nsec == was->st_mtim.tv_nsec)
		return b->fresh ? LOOK_OTHER : LOOK_SAME;
	return now->st_size > was->st_size && b->n > 0 && !b->fresh ? LOOK_GROWN : LOOK_OTHER;
}

/* From the last mail on, which must be what it was. 1, 0 it is not, -1. */
static int scan_tail(struct mbox_io *io, struct err *e)
{
	struct mbox_box *b = io->b;
	const struct mbox_rec last = b->recs[b->n - 1];
	size_t at = b->n - 1;
	if (mbox_io_scan(io, at, e) < 0)
		return -1;
	return b->n > at && b->recs[at].mail.hash == last.mail.hash && b->recs[at].mail.from == last.mail.from &&
		b->recs[at].disk.uid == last.disk.uid;
}

static int bring(struct mbox_io *io, bool all, struct err *e)
{
	struct mbox_box *b = io->b;
	struct stat now;
	for (int tries = 3; tries > 0; tries--) {
		if (sys_fstat(io->f.fd, &now) < 0)
			return err_sys(e, errno, "stat %s", io->f.path);
		enum look l = all ? LOOK_OTHER : look(b, &now);
		int rc = 1;
		if (l == LOOK_SAME)
			return 1;
		if (l == LOOK_GROWN)
			rc = scan_tail(io, e);
		if (rc < 0)
			return -1;
		if (rc == 0 || l == LOOK_OTHER)
			rc = mbox_io_scan(io, 0, e);
		if (rc < 0)
			return -1;
		/* software that does not know our lock may have written meanwhile */
		if (sys_fstat(io->f.fd, &now) == 0 && now.st_size == b->seen.st_size &&
			now.st_mtim.tv_sec == b->seen.st_mtim.tv_sec &&
			now.st_mtim.tv_nsec == b->seen.st_mtim.tv_nsec)
			return give_uids(io, e) < 0 ? -1 : 1;
		b->loaded = false;
		all = false;
	}
	return err_set(e, ERR_TEMP, "%s: other software writes it again and again", io->f.path);
}

/* --- jobs -------------------------------------------------- */

int mbox_io_open(struct mbox_io *io, struct mbox_box *b, struct err *e)
{
	io->b = b;
	int rc = mbox_file_open(&b->def.place, b->def.create, &io->f, e);
	if (rc == 1 && mbox_ctl_open(b->def.ctl_path, b->def.ctl_uid, b->def.place.root, b->def.place.rel, &io->ctl,
			       e) < 0) {
		mbox_file_close(&io->f);
		rc = -1;
	}
	return rc;
}

void mbox_io_close(struct mbox_io *io)
{
	mbox_file_close(&io->f);
	mbox_ctl_close(&io->ctl);
}

/* A delivery to a file that was killed (mbox_append.h) may have left a part of a mail. */
static int settle_append(struct mbox_io *io, struct err *e)
{
	struct stat st;
	if (!mbox_append_left(io->f.dir, io->f.name))
		return 0;
	if (sys_fstat(io->f.fd, &st) < 0)
		return err_sys(e, errno, "stat %s", io->f.path);
	struct mbox *m = mem_alloc(sizeof(*m));
	m->dir = io->f.dir;
	m->fd = io->f.fd;
	m->length = st.st_size;
	m->spool = io->f.spool;
	(void)snprintf(m->path, sizeof(m->path), "%s", io->f.path);
	(void)snprintf(m->name, sizeof(m->name), "%s", io->f.name);
	(void)snprintf(m->parent, sizeof(m->parent), "%s", io->b->def.place.root);
	int rc = mbox_append_settle(m, e);
	free(m);
	return rc;
}

int mbox_io_lock(struct mbox_io *io, struct err *e)
{
	if (mbox_file_lock(&io->f, MBOX_WRITE, e) < 0)
		return -1;
	if (mbox_journal_recover(io->ctl.dir, io->ctl.path, io->ctl.journal, io->f.fd, e) < 0)
		return -1;
	return settle_append(io, e) < 0 ? -1 : 1;
}

/* Must something that was interrupted be finished first? 1, 0, -1. */
static int interrupted(const struct mbox_io *io, struct err *e)
{
	int rc = mbox_journal_exists(io->ctl.dir, io->ctl.path, io->ctl.journal, e);
	return rc == 0 ? mbox_append_left(io->f.dir, io->f.name) : rc;
}

int mbox_io_enter(struct mbox_io *io, enum mbox_access how, bool all, struct err *e)
{
	int left = interrupted(io, e);
	if (left < 0 || mbox_file_lock(&io->f, left ? MBOX_WRITE : how, e) < 0)
		return -1;
	if (io->f.lock == MBOX_READ) /* a writer may have been killed while we waited */
		left = interrupted(io, e);
	if (left < 0)
		return -1;
	if ((left || io->f.lock == MBOX_WRITE) && mbox_io_lock(io, e) < 0)
		return -1;
	return bring(io, all || left, e) < 0 ? -1 : 1;
}

static bool differs(const struct mbox_meta *a, const struct mbox_meta *b)
{
	return a->uid != b->uid || a->flags != b->flags || a->keywords != b->keywords || a->old != b->old;
}

bool mbox_io_pending(const struct mbox_io *io)
{
	const struct mbox_box *b = io->b;
	for (size_t i = 0; i < b->n; i++)
		if (differs(&b->recs[i].disk, &b->recs[i].want))
			return true;
	return b->st_changed || ((b->n > 0 || b->has_pseudo) &&
		(b->base.uidvalidity != b->st.uidvalidity || b->base.last != b->st.nextuid - 1));
}

static int sync_open(struct mbox_io *io, struct err *e)
{
	bool all = false;
	for (int tries = 3; tries > 0; tries--) {
		int rc = mbox_io_enter(io, all ? MBOX_WRITE : MBOX_READ, all, e);
		if (rc == 1 && mbox_io_pending(io) && io->f.lock != MBOX_WRITE)
			rc = mbox_io_enter(io, MBOX_WRITE, false, e);
		if (rc != 1 || !mbox_io_pending(io))
			return rc;
		rc = mbox_io_commit(io, NULL, 0, e);
		if (rc < 0 || (rc == 1 && io->b->loaded))
			return rc;
		all = true;
	}
	return err_set(e, ERR_TEMP, "%s: other software writes it again and again", io->f.path);
}

int mbox_box_sync(struct mbox_box *b, struct err *e)
{
	struct mbox_io io;
	int rc = mbox_io_open(&io, b, e);
	if (rc != 1)
		return rc;
	rc = sync_open(&io, e);
	if (rc < 0)
		b->loaded = false;
	mbox_io_close(&io);
	if (rc != 1)
		return rc;
	b->lost |= b->shown_validity != 0 && b->shown_validity != b->st.uidvalidity;
	b->shown_validity = b->st.uidvalidity;
	return 1;
}
