#include "anvil/anvil_table.h"

#include "lib/base/buf.h"

#define KEY_MAX 256

struct entry {
	struct list_node age;
	uint32_t concurrency;
	uint32_t counts[ANVIL_KINDS];
	int64_t since; /* start of the window in which counts were made */
	char key[];    /* "service:address" */
};

void anvil_table_init(struct anvil_table *t, struct hash_seed seed, size_t limit, int64_t unit_ms)
{
	memset(t, 0, sizeof(*t));
	htab_init(&t->entries, seed);
	list_init(&t->by_age);
	t->limit = limit;
	t->unit_ms = unit_ms;
}

static void remove_entry(struct anvil_table *t, struct entry *en)
{
	htab_del(&t->entries, sv_z(en->key));
	list_remove(&t->by_age, &en->age);
	free(en);
}

void anvil_table_free(struct anvil_table *t)
{
	LIST_FOREACH_SAFE(n, &t->by_age)
		remove_entry(t, CONTAINER_OF(n, struct entry, age));
	htab_free(&t->entries);
}

size_t anvil_table_size(const struct anvil_table *t)
{
	return t->entries.count;
}

void anvil_peaks_clear(struct anvil_table *t)
{
	memset(t->rate_peaks, 0, sizeof(t->rate_peaks));
	memset(&t->concurrency_peak, 0, sizeof(t->concurrency_peak));
	memset(&t->size_peak, 0, sizeof(t->size_peak));
}

void anvil_table_expire(struct anvil_table *t, int64_t now_ms)
{
	LIST_FOREACH_SAFE(n, &t->by_age) {
		struct entry *en = CONTAINER_OF(n, struct entry, age);
		if (en->since + t->unit_ms > now_ms)
			break;
		if (en->concurrency == 0)
			remove_entry(t, en);
	}
}

/* Room for another entry: the oldest without open connections goes. */
static bool make_room(struct anvil_table *t)
{
	if (t->entries.count < t->limit)
		return true;
	LIST_FOREACH(n, &t->by_age) {
		struct entry *en = CONTAINER_OF(n, struct entry, age);
		if (en->concurrency == 0) {
			remove_entry(t, en);
			return true;
		}
	}
	return false;
}

static void peak(struct anvil_peak *p, uint32_t value, const char *who, int64_t wall_s)
{
	if (value <= p->value)
		return;
	p->value = value;
	p->at = wall_s;
	snprintf(p->who, sizeof(p->who), "%s", who);
}

static struct entry *find(struct anvil_table *t, const char *key, int64_t now_ms, int64_t wall_s)
{
	struct entry *en = htab_get(&t->entries, sv_z(key));
	if (!en) {
		if (!make_room(t))
			return NULL;
		en = mem_alloc(sizeof(*en) + strlen(key) + 1);
		memcpy(en->key, key, strlen(key) + 1);
		en->since = now_ms;
		htab_set(&t->entries, sv_z(key), en);
		list_push(&t->by_age, &en->age);
		peak(&t->size_peak, (uint32_t)t->entries.count, key, wall_s);
	} else if (en->since + t->unit_ms <= now_ms) {
		memset(en->counts, 0, sizeof(en->counts));
		en->since = now_ms;
		list_remove(&t->by_age, &en->age);
		list_push(&t->by_age, &en->age);
	}
	return en;
}

/* --- a client process --------------------------------------------------------------------------- */

void anvil_peer_init(struct anvil_peer *p, struct anvil_table *t, struct hash_seed seed)
{
	p->table = t;
	htab_init(&p->open, seed);
}

static void close_some(struct anvil_table *t, const char *key, uint32_t n)
{
	struct entry *en = htab_get(&t->entries, sv_z(key));
	if (en)
		en->concurrency -= n < en->concurrency ? n : en->concurrency;
}

/* The process is gone: so are its clients' connections. */
void anvil_peer_free(struct anvil_peer *p)
{
	HTAB_FOREACH(&p->open, e)
		close_some(p->table, e->key, (uint32_t)(uintptr_t)e->value);
	htab_free(&p->open);
}

static void count_open(struct anvil_peer *p, struct entry *en, int delta)
{
	struct sv key = sv_z(en->key);
	uintptr_t n = (uintptr_t)htab_get(&p->open, key);
	if (delta > 0) {
		htab_set(&p->open, key, (void *)(n + 1));
		en->concurrency++;
		return;
	}
	if (n == 0)
		return; /* counted by an anvil before this one */
	if (n == 1)
		htab_del(&p->open, key);
	else
		htab_set(&p->open, key, (void *)(n - 1));
	close_some(p->table, en->key, 1);
}

struct anvil_counts anvil_event(struct anvil_peer *p, enum anvil_kind kind, struct sv service,
	struct sv address, int64_t now_ms, int64_t wall_s)
{
	struct anvil_table *t = p->table;
	struct anvil_counts out = { 1, 1 };
	char key[KEY_MAX];
	int n = snprintf(key, sizeof(key), "%.*s:%.*s", SV_ARG(sv_upto(service, 120)),
		SV_ARG(sv_upto(address, 120)));
	struct entry *en = n > 0 ? find(t, key, now_ms, wall_s) : NULL;
	if (!en)
		return out;
	if (kind == ANVIL_CONNECT) {
		count_open(p, en, 1);
		peak(&t->concurrency_peak, en->concurrency, key, wall_s);
	} else if (kind == ANVIL_DISCONNECT) {
		count_open(p, en, -1);
	}
	if (en->counts[kind] < UINT32_MAX)
		en->counts[kind]++;
	if (kind != ANVIL_DISCONNECT)
		peak(&t->rate_peaks[kind], en->counts[kind], key, wall_s);
	out.concurrency = en->concurrency;
	out.rate = en->counts[kind];
	return out;
}
