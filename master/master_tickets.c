/*
 * Keys of TLS tickets: each service that speaks TLS has a row of two of its own, in memory only. All its processes
 * get it, of every generation: a client resumes its session wherever it comes out, and nowhere else. The newest key
 * closes tickets; the one before still opens them, so that a ticket lives for smtpd_tls_session_cache_timeout at
 * least and for twice that at most. Nothing of a session can be opened later by who finds the memory of master then.
 */
#include "lib/ipc/msg.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"
#include "master/master.h"

#define KEY_SIZE 80 /* TLS_TICKET_KEY_SIZE of lib/tls: to master they are octets */
#define KEYS     2

struct ring {
	struct list_node link; /* in master.rings */
	char *service;
	unsigned char key[KEYS][KEY_SIZE]; /* newest first */
	size_t n;
	int64_t next_ms;
};

static int64_t lifetime_ms(const struct master *m)
{
	long s = m->current ? m->current->tls.smtpd_tls_session_cache_timeout : 0;
	return (s > 0 ? s : 3600) * (int64_t)1000;
}

static void turn(struct master *m, struct ring *r, int64_t now)
{
	memmove(r->key[1], r->key[0], (KEYS - 1) * KEY_SIZE);
	rand_bytes(r->key[0], KEY_SIZE);
	r->n = r->n < KEYS ? r->n + 1 : KEYS;
	r->next_ms = now + lifetime_ms(m);
}

static struct ring *ring_of(struct master *m, const char *service, int64_t now)
{
	LIST_FOREACH (n, &m->rings) {
		struct ring *r = CONTAINER_OF(n, struct ring, link);
		if (strcmp(r->service, service) == 0)
			return r;
	}
	struct ring *r = mem_alloc(sizeof *r);
	r->service = mem_strdup(service);
	list_push(&m->rings, &r->link);
	turn(m, r, now);
	return r;
}

static void tell(struct child *c, const struct ring *r)
{
	struct msg_master_tickets t = { .keys = sv_n((const char *)r->key, r->n * KEY_SIZE) };
	struct err e = ERR_INIT;
	/* without a wait: one that does not read what is sent to it goes on with what it has */
	if (c->ctl && msg_master_tickets_send(c->ctl, &t, 0, NULL, 0, fiber_deadline(0), &e) < 0)
		log_warn("service %s, pid %d: was not given its ticket keys: %s", c->svc->cf->name, (int)c->pid,
		        e.text);
}

void tickets_give(struct child *c, int64_t now)
{
	if (c->svc->facts->tickets)
		tell(c, ring_of(c->master, c->svc->cf->name, now));
}

static void tell_all(struct master *m, const struct ring *r)
{
	LIST_FOREACH (n, &m->generations) {
		struct generation *g = CONTAINER_OF(n, struct generation, link);
		for (size_t i = 0; i < g->count; i++) {
			struct msvc *svc = &g->services[i];
			if (!svc->facts->tickets || strcmp(svc->cf->name, r->service) != 0)
				continue;
			LIST_FOREACH (k, &svc->children)
				tell(CONTAINER_OF(k, struct child, link), r);
		}
	}
}

void tickets_turn(struct master *m, int64_t now, int64_t *next)
{
	LIST_FOREACH (n, &m->rings) {
		struct ring *r = CONTAINER_OF(n, struct ring, link);
		if (r->next_ms <= now) {
			turn(m, r, now);
			tell_all(m, r);
		}
		if (r->next_ms < *next)
			*next = r->next_ms;
	}
}

void tickets_forget(struct master *m)
{
	for (struct list_node *n; (n = list_pop(&m->rings));) {
		struct ring *r = CONTAINER_OF(n, struct ring, link);
		free(r->service);
		explicit_bzero(r, sizeof *r);
		free(r);
	}
}
