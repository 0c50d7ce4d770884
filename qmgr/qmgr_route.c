/* Recipients to destinations: resolve, group, queue. */
#include "lib/mail/addr.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "qmgr/qmgr.h"

#define KEY_MAX 4096

/* A per-transport number of main.cf; what is wrong there is said once and the built-in value used.
 */
static unsigned transport_number(
        struct qmgr *qm, const char *transport, const char *suffix, unsigned fallback)
{
	struct err e = ERR_INIT;
	long v;
	if (config_transport_int(qm->cfg, transport, suffix, &v, &e) == 0 && v >= 0 && v <= 1000000)
		return (unsigned)v;
	log_warn("%s%s: %s; using %u", transport, suffix, e.text[0] ? e.text : "out of range",
	        fallback);
	return fallback;
}

static struct feedback transport_feedback(struct qmgr *qm, const char *transport, const char *suffix)
{
	struct err e = ERR_INIT;
	struct feedback f;
	const char *text = config_transport_str(qm->cfg, transport, suffix, &e);
	if (text && feedback_parse(sv_z(text), &f) == 0)
		return f;
	log_warn("%s%s: %s; using 1", transport, suffix,
	        text ? "neither a number from 0 to 1 nor NUMBER/concurrency nor NUMBER/sqrt_concurrency"
	             : e.text);
	return (struct feedback){ .kind = FEEDBACK_CONSTANT, .base = 1 };
}

/* With a pause after each delivery there is one at a time. */
static void apply_pauses(struct qmgr *qm, const char *transport, struct sched_limits *l)
{
	l->dest_pause_ms = (int64_t)transport_number(qm, transport, "_destination_rate_delay", 0) * 1000;
	l->transport_pause_ms = (int64_t)transport_number(qm, transport, "_transport_rate_delay", 0) * 1000;
	if (l->dest_pause_ms > 0)
		l->dest_limit = 1;
	if (l->transport_pause_ms > 0)
		l->transport_limit = 1;
}

static struct sched_transport *find_transport(struct qmgr *qm, struct sv name)
{
	bool created;
	struct sched_transport *t = sched_transport(&qm->sched, name, &created);
	if (!created)
		return t;
	t->limits = (struct sched_limits){
		.transport_limit = (unsigned)qm->core.default_process_limit,
		.dest_limit = transport_number(qm, t->name, "_destination_concurrency_limit", 20),
		.rcpt_limit = transport_number(qm, t->name, "_destination_recipient_limit", 50),
		.initial = transport_number(qm, t->name, "_initial_destination_concurrency", 5),
		.failed_cohort_limit = transport_number(
		        qm, t->name, "_destination_concurrency_failed_cohort_limit", 1),
		/* the mail that was tried comes back then, and its time is in whole seconds */
		.dest_dead_ms = qm->p.minimal_backoff_time > 1 ? (qm->p.minimal_backoff_time - 1) * 1000 : 1000,
		.probe_ms = 2 * 1000 * (int64_t)(qm->p.maximal_backoff_time > qm->p.minimal_backoff_time
		                                         ? qm->p.maximal_backoff_time
		                                         : qm->p.minimal_backoff_time),
		.up = transport_feedback(qm, t->name, "_destination_concurrency_positive_feedback"),
		.down = transport_feedback(qm, t->name, "_destination_concurrency_negative_feedback"),
	};
	apply_pauses(qm, t->name, &t->limits);
	return t;
}

/* Is NAME one of defer_transports? */
static bool transport_deferred(const struct qmgr *qm, struct sv name)
{
	struct sv rest = sv_z(qm->p.defer_transports);
	while (rest.len > 0) {
		size_t n = 0;
		while (n < rest.len && rest.p[n] != ',' && !ascii_is_blank(rest.p[n]))
			n++;
		if (sv_eq(sv_upto(rest, n), name))
			return true;
		rest = sv_from(rest, n < rest.len ? n + 1 : n);
	}
	return false;
}

/* Where recipients share a request the destination is the next hop, else the recipient itself: one
 * mailbox that is slow or locked holds up no other. */
static struct sched_dest *find_dest(struct sched_transport *t, const struct clnt_resolved *to)
{
	struct buf key;
	buf_init(&key, KEY_MAX);
	if (t->limits.rcpt_limit == 1)
		addr_fold(&key, to->recipient);
	else
		addr_fold(&key, to->nexthop);
	struct sched_dest *d = sched_dest(t, buf_sv(&key), to->nexthop);
	buf_free(&key);
	return d;
}

static struct sched_job *find_job(struct message *m, struct sched_transport *t)
{
	LIST_FOREACH (n, &m->jobs) {
		struct job *j = CONTAINER_OF(n, struct job, node);
		if (j->transport == t)
			return &j->sched;
	}
	struct job *j = mem_alloc(sizeof(*j));
	j->transport = t;
	list_push(&m->jobs, &j->node);
	return &j->sched;
}

static void enqueue(struct message *m, struct rcpt *r, struct sched_dest *d)
{
	unsigned limit = d->transport->limits.rcpt_limit;
	struct entry *en = NULL;
	if (d->open) {
		en = CONTAINER_OF(d->open, struct entry, en);
		if (en->msg != m || strcmp(d->nexthop, en->en.dest->nexthop) != 0 ||
		        (limit > 0 && en->en.nrcpts >= limit))
			en = NULL;
	}
	r->next = NULL;
	if (!en) {
		en = mem_alloc(sizeof(*en));
		en->msg = m;
		en->tail = &en->first;
		sched_add(&en->en, d, find_job(m, d->transport));
	}
	*en->tail = r;
	en->tail = &r->next;
	en->en.nrcpts++;
}

static bool is_double_bounce(const struct qmgr *qm, const struct clnt_resolved *to)
{
	struct sv local, domain;
	return (to->flags & REWRITE_LOCAL) && to->cls == REWRITE_CLASS_LOCAL &&
	       addr_split(to->recipient, &local, &domain) &&
	       sv_ieqz(local, qm->core.double_bounce_sender);
}

/* sendmail -bv: nothing is delivered; what would be done is the outcome. */
static struct outcome verify_one(struct rcpt *r, const struct clnt_resolved *to)
{
	bool error = sv_eqz(to->transport, "error");
	char *text;
	if (error)
		text = arena_printf(&r->batch->arena, "undeliverable: %.*s", SV_ARG(to->nexthop));
	else
		text = arena_printf(&r->batch->arena, "goes to transport %.*s, next hop %.*s",
		        SV_ARG(to->transport), SV_ARG(to->nexthop));
	return (struct outcome){ .result = error ? QUEUE_BOUNCED : QUEUE_DELIVERED,
		.dsn = error ? SV("5.1.1") : SV("2.1.5"),
		.text = sv_z(text ? text : "no memory for the answer") };
}

/* Queue R for TO, or say why not: false, with *o filled in but for .rcpt. */
static bool route_one(
        struct message *m, struct rcpt *r, const struct clnt_resolved *to, struct outcome *o)
{
	struct qmgr *qm = m->qm;
	int64_t now = clock_mono_ms();
	char *text;

	if (r->expanded) {
		*o = (struct outcome){ .result = QUEUE_DELIVERED,
			.action = QUEUE_ACTION_EXPANDED,
			.dsn = SV("2.0.0"),
			.text = SV("alias expanded") };
		return false;
	}
	if (to->flags & REWRITE_TEMP) {
		*o = (struct outcome){ .result = QUEUE_DEFERRED,
			.dsn = SV("4.3.0"),
			.text = SV("address resolver failure") };
		return false;
	}
	r->address = arena_sv(&r->batch->arena, to->recipient);
	if (!r->address.p || r->address.len == 0)
		r->address = r->original;
	if (m->mail.h.mail_flags & QUEUE_MAIL_VERIFY) {
		*o = verify_one(r, to);
		return false;
	}
	if (is_double_bounce(qm, to)) {
		*o = (struct outcome){ .result = QUEUE_DELIVERED,
			.dsn = SV("2.0.0"),
			.text = SV("undeliverable postmaster notification discarded") };
		return false;
	}
	if (transport_deferred(qm, to->transport)) {
		*o = (struct outcome){ .result = QUEUE_DEFERRED,
			.dsn = SV("4.3.2"),
			.text = SV("deferred transport") };
		return false;
	}
	struct sched_transport *t = find_transport(qm, to->transport);
	const char *dead = sched_transport_dead(t, now);
	if (!dead) {
		struct sched_dest *d = find_dest(t, to);
		dead = sched_dest_dead(d, now);
		if (!dead) {
			enqueue(m, r, d);
			return true;
		}
	}
	struct sv rest = sv_z(dead);
	struct sv dsn = sv_take_word(&rest);
	text = arena_printf(&r->batch->arena, "delivery temporarily suspended: %.*s", SV_ARG(rest));
	*o = (struct outcome){ .result = QUEUE_DEFERRED,
		.dsn = arena_sv(&r->batch->arena, dsn),
		.text = sv_z(text ? text : "delivery temporarily suspended") };
	if (!o->dsn.p)
		o->dsn = SV("4.3.0");
	return false;
}

static enum deliver_status log_status(enum queue_result r)
{
	return r == QUEUE_DELIVERED ? DELIVER_SENT
	       : r == QUEUE_BOUNCED ? DELIVER_BOUNCED
	                            : DELIVER_DEFERRED;
}

void message_route(struct message *m, struct rcpt **rcpts, size_t n)
{
	struct qmgr *qm = m->qm;
	struct outcome *o = mem_array(n, sizeof(*o));
	struct clnt_resolved *to = NULL;
	struct sv *addrs = mem_array(n, sizeof(*addrs));
	struct arena a;
	struct err e = ERR_INIT;
	size_t bad = 0;

	arena_init(&a, 64u << 20);
	for (size_t i = 0; i < n; i++)
		addrs[i] = rcpts[i]->address;
	if (clnt_resolve_addrs(qm->rewrite, m->mail.facts.sender, addrs, n, &a, &to,
	            fiber_deadline(QMGR_RESOLVE_MS), &e) < 0)
		log_warn("%s: %s", m->id, e.text);
	for (size_t i = 0; i < n; i++) {
		static const struct clnt_resolved unknown = { .flags = REWRITE_TEMP };
		if (route_one(m, rcpts[i], to ? &to[i] : &unknown, &o[bad]))
			continue;
		o[bad].rcpt = rcpts[i];
		if (!rcpts[i]->expanded)
			qmgr_log_rcpt(m, rcpts[i], log_status(o[bad].result), o[bad].dsn,
			        o[bad].text);
		bad++;
	}
	LIST_FOREACH (node, &m->jobs)
		qmgr_kick(qm, CONTAINER_OF(node, struct job, node)->transport);
	if (bad > 0)
		message_outcomes(m, o, bad);
	arena_free(&a);
	free(addrs);
	free(o);
}
