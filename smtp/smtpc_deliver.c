/*
 * A mail's way through its destinations:
 *
 *     next hop, or several, then smtp_fallback_relay
 *         addresses in their order, at most smtp_mx_address_limit
 *             a kept connection, or a new one (at most smtp_mx_session_limit of them greet)
 *                 the mail for all recipients that still wait
 *
 * What a server has not settled is left for the next one; the last one's word counts (smtpc_trouble.c).
 */
#include "lib/base/list.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "smtp/smtpc.h"
#include "smtp/smtpc_cache.h"
#include "smtp/smtpc_generic.h"

#define DESTS_MAX        20          /* of one mail */
#define ANSWER_MARGIN_MS (60 * 1000) /* for the way of the result to qmgr */

struct route {
	struct sv dests[DESTS_MAX];
	size_t n;
	size_t nfirst; /* so many are the mail's own, the rest is smtp_fallback_relay */
};

static void plan(struct route *r, struct sv nexthop, const char *fallback)
{
	struct sv list = nexthop;
	r->n = 0;
	while (r->n < DESTS_MAX && smtpc_dest_take(&list, &r->dests[r->n]))
		r->n++;
	r->nfirst = r->n;
	list = sv_z(fallback);
	while (r->n < DESTS_MAX && smtpc_dest_take(&list, &r->dests[r->n]))
		r->n++;
}

static void say_relay(struct smtpc_try *t)
{
	const char *relay = arena_strdup(t->rq->arena, sv_z(t->s->relay));
	deliver_relay(t->rq, relay ? relay : "none");
	deliver_connected(t->rq);
}

static void done_with_session(struct smtpc_try *t)
{
	deliver_relay(t->rq, "none");
	smtpc_cache_give(t->p->cache, t->s, (t->rq->flags & DELIVER_MORE) != 0);
	t->s = NULL;
}

/* The mail through the session that is open. False: as smtpc_mail(). */
static bool use_session(struct smtpc_try *t)
{
	say_relay(t);
	bool begun = smtpc_mail(t);
	done_with_session(t);
	return begun;
}

/* A new session. False: there is none, and that was dealt with. */
static bool open_session(struct smtpc_try *t, const struct smtpc_place *to)
{
	struct smtpc_why why;
	t->s = smtpc_open(t->p, to, &why);
	if (!t->s) {
		log_info("%s", why.text); /* which names the server */
		t->why = why;
	}
	return t->s != NULL;
}

/* TLS that was not demanded has failed, and the mail has waited for it once already: the same place in clear. */
static bool in_clear_now(struct smtpc_try *t, struct smtpc_place *to, const struct smtpc_why *why)
{
	if (!t->s->clear_next || !smtpc_tls_may_go_clear(&t->p->tls, t->rq->arrival_us))
		return false;
	log_info("%.*s: %s: %s: tried in clear", SV_ARG(t->rq->queue_id), t->s->relay, why->text);
	t->s->unfit = true;
	done_with_session(t);
	to->policy = (struct smtpc_policy){ .level = TLS_LEVEL_NONE, .key = "in clear after a failure" };
	return true;
}

static void greet_and_use(struct smtpc_try *t, struct smtpc_place *to)
{
	struct smtpc_why why;
	int rc = smtpc_hello(t->p, t->s, to, &why);
	if (rc < 0 && in_clear_now(t, to, &why)) {
		if (!open_session(t, to))
			return;
		rc = smtpc_hello(t->p, t->s, to, &why);
	}
	if (rc == 1) {
		(void)use_session(t);
		return;
	}
	say_relay(t);
	smtpc_all_failed(t, &why);
	t->s->unfit = true;
	done_with_session(t);
}

/* One address or socket. LAST: there is no other; LAST_DEST: nor another destination. */
static void try_place(struct smtpc_try *t, struct smtpc_place *to, bool last, bool last_dest)
{
	unsigned limit = t->p->set.session_limit;
	if (smtpc_tls_policy(&t->p->tls, to, t->rq->arena, &t->why) < 0)
		return;
	t->final = last_dest && (last || (limit > 0 && t->sessions + 1 >= limit));
	while ((t->s = smtpc_cache_take(t->p->cache, to)) != NULL) {
		if (use_session(t)) {
			t->sessions++;
			return;
		}
	}
	if (!open_session(t, to))
		return;
	t->sessions++;
	greet_and_use(t, to);
}

/* Is there somebody, and time, for the result of another server? */
static bool is_wanted(const struct smtpc_try *t)
{
	return !fiber_cancelled() && fiber_deadline(0) < t->dot_by && deliver_awaited(t->rq);
}

static void try_addresses(struct smtpc_try *t, const struct smtpc_dest *d, bool last_dest, bool *own)
{
	struct smtpc_hosts hosts;
	unsigned limit = t->p->set.session_limit;
	if (smtpc_hosts_find(t->p, d, t->rq->arena, &hosts, own, &t->why) < 0)
		return;
	for (size_t i = 0; i < hosts.n && smtpc_left(t->rq) > 0 && is_wanted(t); i++) {
		struct smtpc_place to = { .dest = d, .addr = &hosts.v[i], .loops = d->port == 25 };
		try_place(t, &to, i + 1 == hosts.n, last_dest);
		if (limit > 0 && t->sessions >= limit)
			break;
	}
}

static void try_dest(struct smtpc_try *t, struct sv text, bool last, bool *own)
{
	struct smtpc_dest d;
	struct err e = ERR_INIT;
	t->sessions = 0;
	if (smtpc_dest_parse(text, &t->p->set.ports, &d, &e) < 0) {
		log_warn("%.*s: %s", SV_ARG(t->rq->queue_id), e.text);
		smtpc_because(&t->why, DSN(4, 3, 5), "mail system configuration error: %s", e.text);
	} else if (d.kind == SMTPC_DEST_UNIX) {
		struct smtpc_place to = { .dest = &d };
		try_place(t, &to, true, last);
	} else {
		try_addresses(t, &d, last, own);
	}
}

/* What somebody wrote into main.cf cannot be the fault of the mail. */
static void forgive_configuration(struct smtpc_try *t, const struct route *r, size_t tried)
{
	const char *blame = NULL;
	if (tried > r->nfirst)
		blame = t->p->set.lmtp ? "lmtp_fallback_relay" : "smtp_fallback_relay";
	else if (sv_ieqz(t->rq->nexthop, t->p->core.relayhost))
		blame = "relayhost";
	else if (r->nfirst > 1) /* no recipient's domain looks like this */
		blame = "list of next hops";
	if (!blame || t->why.dsn.cls != 5)
		return;
	log_warn("%s configuration problem: %s", blame, t->why.text);
	t->why.dsn = DSN(4, 3, 5);
}

/* A dot that is sent when qmgr has no patience left for its answer makes two mails of one. */
static void set_deadlines(struct smtpc_try *t)
{
	int64_t all = (int64_t)t->p->core.ipc_timeout * 1000, done = (int64_t)t->p->set.times.data_done * 1000;
	int64_t margin = all / 10 < ANSWER_MARGIN_MS ? all / 10 : ANSWER_MARGIN_MS;
	t->answer_by = fiber_deadline(all - margin);
	t->dot_by = t->answer_by - (done < all / 2 ? done : all / 2);
}

void smtpc_handle(struct deliver_request *rq, void *smtpc)
{
	struct smtpc_try t = { .p = smtpc, .rq = rq };
	struct route r;
	bool own = false;
	set_deadlines(&t);
	if (smtpc_generic_envelope(&t, &t.why) < 0) {
		t.final = true;
		deliver_connected(rq);
		smtpc_all_failed(&t, &t.why);
		return;
	}
	plan(&r, rq->nexthop, t.p->set.fallback_relay);
	size_t tried = 0;
	for (; tried < r.n && smtpc_left(rq) > 0 && !own; tried++)
		try_dest(&t, r.dests[tried], tried + 1 == r.n, &own);
	if (smtpc_left(rq) == 0)
		return;
	/* no server would have the rest, or there is none */
	if (!t.why.set)
		smtpc_because(&t.why, DSN(4, 3, 0), "server unavailable or unable to receive mail");
	forgive_configuration(&t, &r, tried);
	t.final = true;
	deliver_connected(rq);
	smtpc_all_failed(&t, &t.why);
}
