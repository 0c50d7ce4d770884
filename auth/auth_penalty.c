#include "auth/auth_penalty.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "lib/base/buf.h"
#include "lib/base/list.h"

#define FORGET_AFTER_MS (15 * 60 * 1000)
#define WAIT_MAX_MS     15000

struct entry {
	struct list_node by_age; /* the one that failed longest ago first */
	char key[INET6_ADDRSTRLEN];
	unsigned failures;
	int64_t last_ms;
};

struct auth_penalty {
	struct htab by_key;
	struct list by_age;
	size_t max;
};

struct auth_penalty *auth_penalty_new(struct hash_seed seed, size_t max)
{
	struct auth_penalty *p = mem_alloc(sizeof(*p));

	htab_init(&p->by_key, seed);
	list_init(&p->by_age);
	p->max = max;
	return p;
}

void auth_penalty_free(struct auth_penalty *p)
{
	if (!p)
		return;
	for (struct list_node *n; (n = list_pop(&p->by_age)) != NULL;)
		free(CONTAINER_OF(n, struct entry, by_age));
	htab_free(&p->by_key);
	free(p);
}

/* ADDRESS parsed; true when it is IPv4 (also in IPv6 notation), *v4 in network order. */
static bool parse_v4(struct sv address, struct in_addr *v4, struct in6_addr *v6, bool *is_v6)
{
	char z[INET6_ADDRSTRLEN];

	*is_v6 = false;
	if (sv_copyz(address, z, sizeof(z)) < 0)
		return false;
	if (inet_pton(AF_INET, z, v4) == 1)
		return true;
	if (inet_pton(AF_INET6, z, v6) != 1)
		return false;
	*is_v6 = true;
	if (!IN6_IS_ADDR_V4MAPPED(v6))
		return false;
	memcpy(v4, v6->s6_addr + 12, sizeof(*v4));
	return true;
}

bool auth_addr_is_loopback(struct sv address)
{
	struct in6_addr v6;
	struct in_addr v4;
	bool is_v6;

	if (parse_v4(address, &v4, &v6, &is_v6))
		return (ntohl(v4.s_addr) >> 24) == 127;
	return is_v6 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* What failures are counted for. False: nothing is. */
static bool key_of(struct sv address, char out[static INET6_ADDRSTRLEN])
{
	struct in6_addr v6;
	struct in_addr v4;
	bool is_v6;

	if (auth_addr_is_loopback(address))
		return false;
	if (parse_v4(address, &v4, &v6, &is_v6))
		return inet_ntop(AF_INET, &v4, out, INET6_ADDRSTRLEN) != NULL;
	if (!is_v6)
		return false;
	memset(v6.s6_addr + 8, 0, 8);
	return inet_ntop(AF_INET6, &v6, out, INET6_ADDRSTRLEN) != NULL;
}

static void drop(struct auth_penalty *p, struct entry *en)
{
	list_remove(&p->by_age, &en->by_age);
	htab_del(&p->by_key, sv_z(en->key));
	free(en);
}

int64_t auth_penalty_ms(const struct auth_penalty *p, struct sv address, int64_t now_ms)
{
	char key[INET6_ADDRSTRLEN];

	if (!key_of(address, key))
		return 0;
	const struct entry *en = htab_get(&p->by_key, sv_z(key));

	if (!en || now_ms - en->last_ms > FORGET_AFTER_MS)
		return 0;
	if (en->failures >= 4)
		return WAIT_MAX_MS;
	return (int64_t)1000 << en->failures;
}

void auth_penalty_failed(struct auth_penalty *p, struct sv address, int64_t now_ms)
{
	char key[INET6_ADDRSTRLEN];

	if (!key_of(address, key))
		return;
	struct entry *en = htab_get(&p->by_key, sv_z(key));

	if (!en) {
		if (p->by_age.count >= p->max)
			drop(p, CONTAINER_OF(list_first(&p->by_age), struct entry, by_age));
		en = mem_alloc(sizeof(*en));
		memcpy(en->key, key, sizeof(key));
		htab_set(&p->by_key, sv_z(en->key), en);
	} else {
		if (now_ms - en->last_ms > FORGET_AFTER_MS)
			en->failures = 0;
		list_remove(&p->by_age, &en->by_age);
	}
	en->failures++;
	en->last_ms = now_ms;
	list_push(&p->by_age, &en->by_age);
}

void auth_penalty_passed(struct auth_penalty *p, struct sv address)
{
	char key[INET6_ADDRSTRLEN];

	if (!key_of(address, key))
		return;
	struct entry *en = htab_get(&p->by_key, sv_z(key));

	if (en)
		drop(p, en);
}

size_t auth_penalty_count(const struct auth_penalty *p)
{
	return p->by_age.count;
}
