#include <endian.h>

#include "lib/base/hash.h"
#include "lib/base/buf.h"

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

struct sip {
	uint64_t v0, v1, v2, v3;
};

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = ROTL(s->v1, 13) ^ s->v0;
	s->v0 = ROTL(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = ROTL(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = ROTL(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = ROTL(s->v1, 17) ^ s->v2;
	s->v2 = ROTL(s->v2, 32);
}

uint64_t hash_sip(struct hash_seed seed, const void *data, size_t n)
{
	const unsigned char *p = data;
	struct sip s = { seed.k0 ^ 0x736f6d6570736575u, seed.k1 ^ 0x646f72616e646f6du,
		seed.k0 ^ 0x6c7967656e657261u, seed.k1 ^ 0x7465646279746573u };
	uint64_t last = (uint64_t)n << 56;
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t m;
		memcpy(&m, p, 8);
		m = le64toh(m);
		s.v3 ^= m;
		sip_round(&s);
		sip_round(&s);
		s.v0 ^= m;
	}
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)p[i] << (8 * i);
	s.v3 ^= last;
	sip_round(&s);
	sip_round(&s);
	s.v0 ^= last;
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void htab_init(struct htab *t, struct hash_seed seed)
{
	*t = (struct htab){ .seed = seed };
}

void htab_free(struct htab *t)
{
	for (size_t i = 0; i < t->nslots; i++)
		while (t->slots[i]) {
			struct htab_entry *next = t->slots[i]->next;
			free(t->slots[i]);
			t->slots[i] = next;
		}
	free(t->slots);
	htab_init(t, t->seed);
}

static struct htab_entry **find(const struct htab *t, struct sv key, uint64_t hash)
{
	struct htab_entry **at = &t->slots[hash & (t->nslots - 1)];
	while (*at && !((*at)->hash == hash && sv_eq(sv_n((*at)->key, (*at)->key_len), key)))
		at = &(*at)->next;
	return at;
}

static void grow(struct htab *t)
{
	size_t nslots = t->nslots ? t->nslots * 2 : 16;
	struct htab_entry **slots = mem_array(nslots, sizeof(struct htab_entry *));
	for (size_t i = 0; i < t->nslots; i++)
		while (t->slots[i]) {
			struct htab_entry *e = t->slots[i];
			t->slots[i] = e->next;
			e->next = slots[e->hash & (nslots - 1)];
			slots[e->hash & (nslots - 1)] = e;
		}
	free(t->slots);
	t->slots = slots;
	t->nslots = nslots;
}

void *htab_get(const struct htab *t, struct sv key)
{
	if (t->count == 0)
		return NULL;
	struct htab_entry *e = *find(t, key, hash_sip(t->seed, key.p, key.len));
	return e ? e->value : NULL;
}

void *htab_set(struct htab *t, struct sv key, void *value)
{
	if (t->count >= t->nslots)
		grow(t);
	uint64_t hash = hash_sip(t->seed, key.p, key.len);
	struct htab_entry **at = find(t, key, hash);
	if (*at) {
		void *old = (*at)->value;
		(*at)->value = value;
		return old;
	}
	struct htab_entry *e = mem_alloc(sizeof(*e) + key.len + 1);
	e->hash = hash;
	e->value = value;
	e->key_len = key.len;
	if (key.len)
		memcpy(e->key, key.p, key.len);
	*at = e;
	t->count++;
	return NULL;
}

void *htab_del(struct htab *t, struct sv key)
{
	if (t->count == 0)
		return NULL;
	struct htab_entry **at = find(t, key, hash_sip(t->seed, key.p, key.len));
	struct htab_entry *e = *at;
	if (!e)
		return NULL;
	void *value = e->value;
	*at = e->next;
	free(e);
	t->count--;
	return value;
}

bool htab_next(const struct htab *t, size_t *slot, struct htab_entry **e)
{
	if (*e && (*e)->next) {
		*e = (*e)->next;
		return true;
	}
	size_t i = *e ? *slot + 1 : *slot;
	while (i < t->nslots && !t->slots[i])
		i++;
	*slot = i;
	*e = i < t->nslots ? t->slots[i] : NULL;
	return *e != NULL;
}
