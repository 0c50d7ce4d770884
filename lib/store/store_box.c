#include "lib/store/store_box.h"

#include <stdlib.h>
#include <string.h>

#include "lib/store/box.h"
#include "lib/sys/sys.h"

/* --- jobs -------------------------------------------------- */

void box_run(struct store_box *b, struct box_job *j)
{
	j->box = b;
	if (account_enter(b->account, &j->err) < 0) {
		j->rc = -1;
		return;
	}
	fiber_offload(FIBER_POOL_DURABLE, j->run, j);
	account_leave(b->account);
}

int box_result(struct box_job *j, struct err *e)
{
	if (j->rc < 0 && e)
		*e = j->err;
	return j->rc;
}

struct maildir_box *box_table(
        struct store_account *a, const struct folder_dir *folder, bool writable)
{
	struct maildir_box_def def = {
		.root_path = a->path,
		.uid = a->uid,
		.host = a->store->host,
		.lock_timeout_ms = a->store->lock_timeout_ms,
		.writable = writable,
		.index = a->index,
	};
	return maildir_box_new(&def, folder);
}

static void sync_run(void *rec)
{
	struct box_job *j = rec;
	j->rc = maildir_box_sync(j->box->table, &j->err);
}

/* --- the view -------------------------------------------------- */

static void view_push(struct store_box *b, const struct box_rec *r)
{
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 64;
		b->v = mem_realloc(b->v, b->cap * sizeof(*b->v));
	}
	b->v[b->n++] = (struct store_msg){
		.uid = r->uid,
		.flags = r->flags,
		.keywords = r->keywords,
		.recent = r->recent,
		.internaldate = r->mtime,
		.size = r->size,
		.vsize = r->vsize,
	};
	b->recent += r->recent;
	b->last_uid = r->uid;
}

/* New records above the last UID that this view ever had: a mail that reappears below it would shift
 * sequence numbers, it waits for the next session. */
static size_t view_extend(struct store_box *b)
{
	struct maildir_box *t = b->table;
	size_t before = b->n, i = t->n;
	while (i > 0 && t->recs[i - 1].uid > b->last_uid)
		i--;
	for (; i < t->n; i++)
		if (t->recs[i].where != BOX_ABSENT)
			view_push(b, &t->recs[i]);
	return b->n - before;
}

int store_box_open(struct store_account *a, struct store_mailbox_id id, enum store_box_mode mode,
        struct store_box **out, struct err *e)
{
	struct folder_dir folder;
	if (folder_dir_of(id.name, &folder, e) < 0)
		return -1;
	struct store_box *b = mem_alloc(sizeof(*b));
	b->account = a;
	a->refs++;
	b->name = mem_svdup(store_name_is_inbox(id.name) ? SV("INBOX") : id.name);
	b->writable = mode == STORE_BOX_WRITE;
	b->table = box_table(a, &folder, b->writable);
	struct box_job j = { .run = sync_run };
	box_run(b, &j);
	if (j.rc != 1) {
		store_box_close(b);
		return box_result(&j, e);
	}
	b->uidvalidity = b->table->list.h.uidvalidity;
	b->kw = b->table->kw;
	(void)view_extend(b);
	*out = b;
	return 1;
}

void store_box_close(struct store_box *b)
{
	if (!b)
		return;
	maildir_box_free(b->table);
	store_account_close(b->account);
	free(b->name);
	free(b->v);
	free(b);
}

size_t store_box_count(const struct store_box *b)
{
	return b->n;
}

const struct store_msg *store_box_msg(const struct store_box *b, size_t index)
{
	return index < b->n ? &b->v[index] : NULL;
}

bool store_box_find(const struct store_box *b, uint32_t uid, size_t *index)
{
	size_t lo = 0, hi = b->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (b->v[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	*index = lo;
	return lo < b->n && b->v[lo].uid == uid;
}

uint32_t store_box_uidvalidity(const struct store_box *b)
{
	return b->uidvalidity;
}

uint32_t store_box_uidnext(const struct store_box *b)
{
	return b->table->list.h.nextuid;
}

bool store_box_writable(const struct store_box *b)
{
	return b->writable;
}

struct store_account *store_box_account(const struct store_box *b)
{
	return b->account;
}

struct sv store_box_name(const struct store_box *b)
{
	return sv_z(b->name);
}

const char *store_box_guid(const struct store_box *b)
{
	return b->table->list.h.guid;
}

size_t store_box_keyword_count(const struct store_box *b)
{
	return keywords_count(&b->table->kw);
}

struct sv store_box_keyword(const struct store_box *b, size_t i)
{
	return i < STORE_KEYWORDS_MAX ? sv_z(b->table->kw.name[i]) : SV_NONE;
}

/* --- changes -------------------------------------------------- */

void store_events_init(struct store_events *ev)
{
	*ev = (struct store_events){ 0 };
}

void store_events_free(struct store_events *ev)
{
	free(ev->v);
	*ev = (struct store_events){ 0 };
}

static void event(struct store_events *ev, enum store_event_kind kind, size_t seq, uint32_t uid)
{
	if (ev->n == ev->cap) {
		ev->cap = ev->cap ? ev->cap * 2 : 16;
		ev->v = mem_realloc(ev->v, ev->cap * sizeof(*ev->v));
	}
	ev->v[ev->n++] = (struct store_event){ .kind = kind, .seq = (uint32_t)seq, .uid = uid };
}

/* Mark what is gone; take it out where that may be reported. */
static void report_gone(struct store_box *b, bool may_expunge, struct store_events *ev)
{
	size_t kept = 0;
	for (size_t i = 0; i < b->n; i++) {
		struct store_msg *m = &b->v[i];
		const struct box_rec *r = maildir_box_find(b->table, m->uid);
		m->gone = !r || r->where == BOX_ABSENT;
		if (m->gone && may_expunge) {
			event(ev, STORE_EV_EXPUNGE, kept + 1, m->uid);
			b->recent -= m->recent;
			continue;
		}
		b->v[kept++] = *m;
	}
	b->n = kept;
}

static void report_flags(struct store_box *b, size_t n, struct store_events *ev)
{
	for (size_t i = 0; i < n; i++) {
		struct store_msg *m = &b->v[i];
		const struct box_rec *r = m->gone ? NULL : maildir_box_find(b->table, m->uid);
		if (!r || (r->flags == m->flags && r->keywords == m->keywords))
			continue;
		m->flags = r->flags;
		m->keywords = r->keywords;
		event(ev, STORE_EV_FLAGS, i + 1, m->uid);
	}
}

int store_box_refresh(struct store_box *b, bool may_expunge, struct store_events *ev, struct err *e)
{
	struct box_job j = { .run = sync_run };
	box_run(b, &j);
	if (j.rc < 0)
		return box_result(&j, e);
	if (j.rc == 0 || b->table->lost) {
		event(ev, STORE_EV_LOST, 0, 0);
		return 1;
	}
	report_gone(b, may_expunge, ev);
	size_t recent = b->recent, known = b->n;
	if (view_extend(b) > 0)
		event(ev, STORE_EV_EXISTS, b->n, 0);
	if (b->recent != recent)
		event(ev, STORE_EV_RECENT, b->recent, 0);
	if (memcmp(&b->kw, &b->table->kw, sizeof(b->kw)) != 0) {
		b->kw = b->table->kw;
		event(ev, STORE_EV_KEYWORDS, 0, 0);
	}
	report_flags(b, known, ev);
	return 1;
}
