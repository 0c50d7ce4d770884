#include "smtp/smtpc_cache.h"

#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/clock.h"
#include "lib/sys/rand.h"

#define RECENT_MAX 256
#define QUIT_STACK (64 * 1024)

/* When a destination was last used: mail that comes one by one is "much mail", too. */
struct recent {
	uint64_t hash;
	int64_t at_ms;
};

struct smtpc_cache {
	const struct smtpc_settings *set;
	struct list idle; /* struct smtpc_session, the one that is to end first at the front */
	struct fiber_event *filled;
	struct hash_seed seed;
	struct recent recent[RECENT_MAX];
};

struct smtpc_cache *smtpc_cache_new(const struct smtpc_settings *set)
{
	struct smtpc_cache *c = mem_alloc(sizeof(*c));
	c->set = set;
	list_init(&c->idle);
	rand_bytes(&c->seed, sizeof(c->seed));
	return c;
}

static void quit_fiber(void *session)
{
	smtpc_close(session);
}

/* In order, by a fiber: a server that is slow to say goodbye holds up nobody. */
static void leave(struct smtpc_session *s)
{
	if (s->broken || !fiber_spawn("quit", QUIT_STACK, quit_fiber, s)) {
		s->broken = true;
		smtpc_close(s);
	}
}

static struct smtpc_session *pop(struct smtpc_cache *c)
{
	return CONTAINER_OF(list_pop(&c->idle), struct smtpc_session, idle);
}

static void sweep(void *cache)
{
	struct smtpc_cache *c = cache;
	for (;;) {
		if (list_empty(&c->idle)) {
			fiber_event_clear(c->filled);
			if (fiber_event_wait(c->filled, FIBER_FOREVER) < 0)
				return;
			continue;
		}
		int64_t until = CONTAINER_OF(list_first(&c->idle), struct smtpc_session, idle)->idle_until_ms;
		if (until > clock_mono_ms()) {
			if (fiber_sleep(until - clock_mono_ms()) < 0)
				return;
			continue;
		}
		leave(pop(c));
	}
}

int smtpc_cache_run(struct smtpc_cache *c, struct err *e)
{
	c->filled = fiber_event_new();
	return fiber_spawn("kept connections", 0, sweep, c) ? 0 : err_set(e, ERR_TEMP, "no memory for a fiber");
}

/* The same server, and the same rules of TLS: what was good enough for another mail may not be for this one. */
static bool is_at(const struct smtpc_session *s, const struct smtpc_place *to)
{
	if (strcmp(s->rules, to->policy.key) != 0)
		return false;
	if (!to->addr)
		return s->port == 0 && sv_eqz(to->dest->name, s->ip);
	return s->port == to->dest->port && strcmp(s->ip, to->addr->ip) == 0 && sv_eqz(to->addr->host, s->host);
}

struct smtpc_session *smtpc_cache_take(struct smtpc_cache *c, const struct smtpc_place *to)
{
	LIST_FOREACH_SAFE(n, &c->idle)
	{
		struct smtpc_session *s = CONTAINER_OF(n, struct smtpc_session, idle);
		if (!is_at(s, to))
			continue;
		list_remove(&c->idle, n);
		if (!smtpc_speaks(s))
			return s;
		s->broken = true;
		leave(s);
	}
	return NULL;
}

/* Was DEST in use a moment ago? It is now. */
static bool used_before(struct smtpc_cache *c, const char *dest, int64_t now)
{
	uint64_t hash = hash_sip(c->seed, dest, strlen(dest));
	struct recent *r = &c->recent[hash % RECENT_MAX];
	bool recently = r->hash == hash && now - r->at_ms <= c->set->keep_idle_s * 1000;
	*r = (struct recent){ hash, now };
	return recently;
}

/* smtp_connection_cache_destinations names it. */
static bool always(const struct smtpc_cache *c, const char *dest)
{
	struct sv list = sv_z(c->set->keep_always), word;
	while (smtpc_dest_take(&list, &word))
		if (sv_ieqz(word, dest))
			return true;
	return false;
}

void smtpc_cache_give(struct smtpc_cache *c, struct smtpc_session *s, bool more)
{
	const struct smtpc_settings *set = c->set;
	int64_t now = clock_mono_ms();
	bool much = used_before(c, s->dest, now) || more;
	bool wanted = (set->keep && much) || always(c, s->dest);
	if (s->broken || s->unfit || !wanted || (set->keep_count > 0 && s->mails >= set->keep_count) ||
		now - s->opened_ms >= set->keep_age_s * 1000) {
		leave(s);
		return;
	}
	if (c->idle.count >= SMTPC_CACHE_MAX)
		leave(pop(c));
	s->idle_until_ms = now + set->keep_idle_s * 1000;
	list_push(&c->idle, &s->idle);
	fiber_event_set(c->filled);
}
