#include "dnsd/dnsd.h"

struct cache_entry {
	struct list_node link; /* in dnsd_cache.used */
	struct dnsd_result *result;
	size_t key_len;
	char key[];
};

void cache_init(struct dnsd_cache *c, struct hash_seed seed, size_t max_entries, size_t max_octets)
{
	*c = (struct dnsd_cache){ .max_entries = max_entries, .max_octets = max_octets };
	htab_init(&c->table, seed);
	list_init(&c->used);
}

static size_t weight(const struct cache_entry *en)
{
	return sizeof *en + en->key_len * 2 + sizeof *en->result + en->result->arena.used;
}

static void drop(struct dnsd_cache *c, struct cache_entry *en)
{
	c->octets -= weight(en);
	(void)htab_del(&c->table, sv_n(en->key, en->key_len));
	list_remove(&c->used, &en->link);
	result_release(en->result);
	free(en);
}

void cache_fini(struct dnsd_cache *c)
{
	for (struct list_node *n; (n = list_first(&c->used));)
		drop(c, CONTAINER_OF(n, struct cache_entry, link));
	htab_free(&c->table);
}

struct dnsd_result *cache_get(struct dnsd_cache *c, struct sv key, int64_t now_ms)
{
	struct cache_entry *en = htab_get(&c->table, key);
	if (en && en->result->expires_ms <= now_ms) {
		drop(c, en);
		en = NULL;
	}
	if (!en) {
		c->misses++;
		return NULL;
	}
	c->hits++;
	list_remove(&c->used, &en->link);
	list_push(&c->used, &en->link);
	return result_hold(en->result);
}

void cache_put(struct dnsd_cache *c, struct sv key, struct dnsd_result *r)
{
	if (r->status == CLNT_DNS_AGAIN || r->expires_ms <= r->made_ms)
		return;
	struct cache_entry *old = htab_get(&c->table, key);
	if (old)
		drop(c, old);
	struct cache_entry *en = mem_alloc(sizeof *en + key.len + 1);
	en->result = result_hold(r);
	en->key_len = key.len;
	memcpy(en->key, key.p, key.len);
	(void)htab_set(&c->table, key, en);
	list_push(&c->used, &en->link);
	c->octets += weight(en);
	while (c->used.count > c->max_entries || (c->octets > c->max_octets && c->used.count > 1))
		drop(c, CONTAINER_OF(list_first(&c->used), struct cache_entry, link));
}
