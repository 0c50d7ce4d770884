/*
 * Invariants, checked by the unit test after each step:
 * 1. A destination is in its transport's ready heap exactly when it has entries and running <
 * window and it is alive and not paused; its key there is the later of its first entry's time and its own.
 * 2. transport.running is the sum of running over its destinations, sched.running over transports.
 * 3. A destination without entries and running deliveries exists only while it is dead, in doubt or paused.
 * 4. It is in its transport's paused heap exactly during its pause.
 */
#include "qmgr/qmgr_sched.h"

#include "lib/base/buf.h"

#define COHORT_UNIT 1000000u
#define ROUNDING    1e-9 /* ten tenths are a whole */

static void reason_set(char dst[SCHED_REASON_MAX], struct sv reason)
{
	snprintf(dst, SCHED_REASON_MAX, "%.*s", SV_ARG(sv_upto(reason, SCHED_REASON_MAX - 1)));
}

void sched_init(struct sched *s, struct hash_seed seed)
{
	*s = (struct sched){ 0 };
	htab_init(&s->transports, seed);
}

static void dest_free(struct sched_dest *d)
{
	qheap_free(&d->entries);
	free(d->key);
	free(d->nexthop);
	free(d);
}

void sched_free(struct sched *s)
{
	HTAB_FOREACH (&s->transports, te) {
		struct sched_transport *t = te->value;
		HTAB_FOREACH (&t->dests, de)
			dest_free(de->value);
		htab_free(&t->dests);
		qheap_free(&t->ready);
		qheap_free(&t->paused);
		free(t->name);
		free(t);
	}
	htab_free(&s->transports);
}

struct sched_transport *sched_transport(struct sched *s, struct sv name, bool *created)
{
	struct sched_transport *t = htab_get(&s->transports, name);
	*created = !t;
	if (t)
		return t;
	t = mem_alloc(sizeof(*t));
	t->sched = s;
	t->name = mem_svdup(name);
	htab_init(&t->dests, s->transports.seed);
	htab_set(&s->transports, name, t);
	return t;
}

static unsigned first_window(const struct sched_transport *t)
{
	const struct sched_limits *l = &t->limits;
	unsigned w = l->initial > 0 ? l->initial : 1;
	if (l->dest_pause_ms > 0)
		w = 1;
	return l->dest_limit > 0 && w > l->dest_limit ? l->dest_limit : w;
}

struct sched_dest *sched_dest(struct sched_transport *t, struct sv key, struct sv nexthop)
{
	struct sched_dest *d = htab_get(&t->dests, key);
	if (d)
		return d;
	d = mem_alloc(sizeof(*d));
	d->transport = t;
	d->key = mem_svdup(key);
	d->nexthop = mem_svdup(nexthop);
	d->window = first_window(t);
	d->service = t->clock;
	htab_set(&t->dests, key, d);
	return d;
}

static uint64_t latest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Put D where invariant 1 wants it. */
static void update_ready(struct sched_dest *d)
{
	struct heap_node *first = qheap_min(&d->entries);
	qheap_remove(&d->transport->ready, &d->ready);
	if (first && d->running < d->window && d->dead_until == 0 && d->pause.at == 0)
		qheap_put(&d->transport->ready, &d->ready, latest(first->key, d->service));
}

/* It has failed since it last worked: a new one would begin with more trust than it deserves. */
static bool in_doubt(const struct sched_dest *d)
{
	return d->probing || (d->cohorts > 0 && d->transport->limits.failed_cohort_limit > 0);
}

void sched_dest_unused(struct sched_dest *d, int64_t now)
{
	if (d->entries.n > 0 || d->running > 0 || (d->dead_until != 0 && d->dead_until > now) ||
	        (in_doubt(d) && d->remembered_until > now) || d->pause.at != 0)
		return;
	qheap_remove(&d->transport->ready, &d->ready);
	htab_del(&d->transport->dests, sv_z(d->key));
	dest_free(d);
}

void sched_add(struct sched_entry *en, struct sched_dest *d, struct sched_job *job)
{
	uint64_t start = latest(d->transport->clock, job->finish);
	job->finish = start + 1;
	en->dest = d;
	en->job = job;
	en->running = false;
	qheap_put(&d->entries, &en->node, start);
	d->open = en;
	d->transport->sched->queued++;
	update_ready(d);
}

static void take_out(struct sched_entry *en)
{
	struct sched_dest *d = en->dest;
	qheap_remove(&d->entries, &en->node);
	if (d->open == en)
		d->open = NULL;
	d->transport->sched->queued--;
}

void sched_remove(struct sched_entry *en)
{
	struct sched_dest *d = en->dest;
	take_out(en);
	en->dest = NULL;
	update_ready(d);
	sched_dest_unused(d, INT64_MIN);
}

/* Pauses that are over. */
static void end_pauses(struct sched_transport *t, int64_t now)
{
	if (t->paused_until != 0 && now >= t->paused_until)
		t->paused_until = 0;
	for (struct heap_node *n; (n = qheap_min(&t->paused)) != NULL && (int64_t)n->key <= now;) {
		struct sched_dest *d = CONTAINER_OF(n, struct sched_dest, pause);
		qheap_remove(&t->paused, &d->pause);
		update_ready(d);
		sched_dest_unused(d, now);
	}
}

int64_t sched_pause_end(const struct sched_transport *t)
{
	struct heap_node *n = qheap_min(&t->paused);
	int64_t at = n ? (int64_t)n->key : 0;
	return t->paused_until != 0 && (at == 0 || t->paused_until < at) ? t->paused_until : at;
}

struct sched_entry *sched_next(struct sched_transport *t, int64_t now)
{
	end_pauses(t, now);
	if (t->running >= t->limits.transport_limit || sched_transport_dead(t, now) ||
	        (t->limits.transport_pause_ms > 0 && (t->running > 0 || t->paused_until != 0)))
		return NULL;
	struct heap_node *n = qheap_min(&t->ready);
	if (!n)
		return NULL;
	struct sched_dest *d = CONTAINER_OF(n, struct sched_dest, ready);
	struct sched_entry *en = CONTAINER_OF(qheap_min(&d->entries), struct sched_entry, node);
	t->clock = latest(t->clock, n->key);
	d->service = latest(d->service, n->key) + 1;
	take_out(en);
	en->running = true;
	d->running++;
	t->running++;
	t->sched->running++;
	update_ready(d);
	return en;
}

static void succeeded(struct sched_dest *d)
{
	const struct sched_limits *l = &d->transport->limits;
	d->cohorts = 0;
	if (d->probing) {
		d->probing = false;
		d->window = first_window(d->transport);
		d->success = d->failure = 0;
		return;
	}
	/* grow only as far as there is use for it */
	if ((l->dest_limit > 0 && d->window >= l->dest_limit) || l->dest_pause_ms > 0 ||
	        d->window > d->running + l->initial)
		return;
	d->success += feedback_step(&l->up, d->window);
	if (d->success >= 1 - ROUNDING) {
		d->success = d->failure = 0;
		d->window++;
	}
}

static bool failed(struct sched_dest *d, struct sv reason, int64_t now)
{
	const struct sched_limits *l = &d->transport->limits;
	d->cohorts += COHORT_UNIT / d->window;
	d->remembered_until = now + l->probe_ms;
	d->failure += feedback_step(&l->down, d->window);
	if (d->failure >= 1 - ROUNDING) {
		d->success = d->failure = 0;
		if (d->window > 1)
			d->window--;
	}
	/* a third of 1 three times is a whole, whatever integers say */
	if (l->failed_cohort_limit == 0 || d->dead_until != 0 ||
	        (!d->probing && d->cohorts + 100 < l->failed_cohort_limit * COHORT_UNIT))
		return false;
	d->dead_until = now + l->dest_dead_ms;
	d->probing = true;
	d->remembered_until = d->dead_until + l->probe_ms;
	reason_set(d->reason, reason);
	return true;
}

static void begin_pause(struct sched_dest *d, int64_t now)
{
	struct sched_transport *t = d->transport;
	if (t->limits.transport_pause_ms > 0)
		t->paused_until = now + t->limits.transport_pause_ms;
	if (t->limits.dest_pause_ms <= 0)
		return;
	qheap_remove(&t->paused, &d->pause);
	qheap_put(&t->paused, &d->pause, (uint64_t)(now + t->limits.dest_pause_ms));
}

bool sched_done(struct sched_entry *en, enum sched_outcome outcome, struct sv reason, int64_t now)
{
	struct sched_dest *d = en->dest;
	bool died = false;

	d->running--;
	d->transport->running--;
	d->transport->sched->running--;
	en->running = false;
	if (outcome == SCHED_GOOD)
		succeeded(d);
	else if (outcome == SCHED_BAD)
		died = failed(d, reason, now);
	begin_pause(d, now);
	update_ready(d);
	if (died)
		return true;
	en->dest = NULL;
	sched_dest_unused(d, now);
	return false;
}

const char *sched_dest_dead(struct sched_dest *d, int64_t now)
{
	if (d->dead_until != 0 && now >= d->dead_until) {
		d->dead_until = 0;
		d->cohorts = 0;
		d->window = 1;
		d->success = d->failure = 0;
		update_ready(d);
	}
	return d->dead_until != 0 ? d->reason : NULL;
}

const char *sched_transport_dead(struct sched_transport *t, int64_t now)
{
	if (t->dead_until != 0 && now >= t->dead_until)
		t->dead_until = 0;
	return t->dead_until != 0 ? t->reason : NULL;
}

void sched_transport_kill(struct sched_transport *t, int64_t until, struct sv reason)
{
	t->dead_until = until;
	reason_set(t->reason, reason);
}

/* Bring destinations of T back to life; the table changes meanwhile, so list them first. */
static void revive_dests(struct sched_transport *t, int64_t when, int64_t now)
{
	struct sched_dest **list = mem_array(t->dests.count + 1, sizeof(*list));
	size_t n = 0;
	HTAB_FOREACH (&t->dests, de) {
		struct sched_dest *d = de->value;
		if ((d->dead_until != 0 && when >= d->dead_until) ||
		        (in_doubt(d) && now >= d->remembered_until))
			list[n++] = d;
	}
	for (size_t i = 0; i < n; i++) {
		(void)sched_dest_dead(list[i], when);
		sched_dest_unused(list[i], now);
	}
	free(list);
}

void sched_revive(struct sched *s, bool all, int64_t now)
{
	int64_t when = all ? INT64_MAX : now;
	HTAB_FOREACH (&s->transports, te) {
		struct sched_transport *t = te->value;
		(void)sched_transport_dead(t, when);
		revive_dests(t, when, now);
	}
}

struct sched_entry *sched_dest_first(struct sched_dest *d)
{
	struct heap_node *n = qheap_min(&d->entries);
	return n ? CONTAINER_OF(n, struct sched_entry, node) : NULL;
}

struct sched_entry *sched_transport_first(struct sched_transport *t)
{
	HTAB_FOREACH (&t->dests, de) {
		struct sched_entry *en = sched_dest_first(de->value);
		if (en)
			return en;
	}
	return NULL;
}
