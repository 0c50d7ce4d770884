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

static void sync_run(void *rec)
{
	struct box_job *j = rec;
	j->rc = j->box->account->driver->sync(j->box->table, &j->err);
}

/* --- the view -------------------------------------------------- */

static struct table_facts facts(const struct store_box *b)
{
	return b->account->driver->facts(b->table);
}

static void view_push(struct store_box *b, const struct store_msg *m)
{
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 64;
		b->v = mem_realloc(b->v, b->cap * sizeof(*b->v));
	}
	b->v[b->n++] = *m;
	b->recent += m->recent;
	b->last_uid = m->uid;
}

/* New mails above the last UID that this view ever had: a mail that reappears below it would shift
 * sequence numbers, it waits for the next session. */
static size_t view_extend(struct store_box *b)
{
	const struct store_driver *d = b->account->driver;
	size_t before = b->n, slots = d->slots(b->table), i = slots;
	struct table_mail m;
	while (i > 0 && (!d->at(b->table, i - 1, &m) || m.m.uid > b->last_uid))
		i--;
	for (; i < slots; i++)
		if (d->at(b->table, i, &m) && m.m.uid > b->last_uid)
			view_push(b, &m.m);
	return b->n - before;
}

int store_box_open(struct store_account *a, struct store_mailbox_id id, enum store_box_mode mode,
        struct store_box **out, struct err *e)
{
	if (a->driver->name_check(id.name, e) < 0)
		return -1;
	struct store_box *b = mem_alloc(sizeof(*b));
	b->account = a;
	a->refs++;
	b->name = mem_svdup(store_name_is_inbox(id.name) ? SV("INBOX") : id.name);
	b->writable = mode == STORE_BOX_WRITE;
	b->table = a->driver->table_new(a, sv_z(b->name), b->writable);
	struct box_job j = { .run = sync_run };
	box_run(b, &j);
	if (j.rc != 1) {
		store_box_close(b);
		return box_result(&j, e);
	}
	b->uidvalidity = facts(b).uidvalidity;
	b->kw = *facts(b).kw;
	(void)view_extend(b);
	*out = b;
	return 1;
}

void store_box_close(struct store_box *b)
{
	if (!b)
		return;
	b->account->driver->table_free(b->table);
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
	return facts(b).nextuid;
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
	return facts(b).guid;
}

size_t store_box_keyword_count(const struct store_box *b)
{
	return keywords_count(facts(b).kw);
}

struct sv store_box_keyword(const struct store_box *b, size_t i)
{
	return i < STORE_KEYWORDS_MAX ? sv_z(facts(b).kw->name[i]) : SV_NONE;
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
		struct table_mail now;
		m->gone = !b->account->driver->find(b->table, m->uid, &now);
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
		struct table_mail now;
		if (m->gone || !b->account->driver->find(b->table, m->uid, &now) ||
			(now.m.flags == m->flags && now.m.keywords == m->keywords))
			continue;
		m->flags = now.m.flags;
		m->keywords = now.m.keywords;
		event(ev, STORE_EV_FLAGS, i + 1, m->uid);
	}
}

int store_box_refresh(struct store_box *b, bool may_expunge, struct store_events *ev, struct err *e)
{
	struct box_job j = { .run = sync_run };
	box_run(b, &j);
	if (j.rc < 0)
		return box_result(&j, e);
	if (j.rc == 0 || facts(b).lost) {
		event(ev, STORE_EV_LOST, 0, 0);
		return 1;
	}
	report_gone(b, may_expunge, ev);
	size_t recent = b->recent, known = b->n;
	if (view_extend(b) > 0)
		event(ev, STORE_EV_EXISTS, b->n, 0);
	if (b->recent != recent)
		event(ev, STORE_EV_RECENT, b->recent, 0);
	if (memcmp(&b->kw, facts(b).kw, sizeof(b->kw)) != 0) {
		b->kw = *facts(b).kw;
		event(ev, STORE_EV_KEYWORDS, 0, 0);
	}
	report_flags(b, known, ev);
	return 1;
}
