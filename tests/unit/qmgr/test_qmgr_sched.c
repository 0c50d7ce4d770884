/* Unit test of qmgr/qmgr_sched.c: scripts of additions and deliveries, and the order that comes
 * out. */
#include "qmgr/qmgr_sched.h"
#include "tests/support/t.h"

#include "lib/base/buf.h"

#define MAX 4000

struct item {
	struct sched_entry en; /* first: an entry is an item */
	char label[16];
};

struct world {
	struct sched s;
	struct sched_transport *t;
	struct item items[MAX];
	size_t n;
	struct sched_job jobs[26]; /* 'a'..'z' */
	struct sched_entry *running[MAX];
	size_t nrunning;
	struct buf order;
};

static struct world *world_new(
        unsigned total, unsigned dest_limit, unsigned initial, unsigned cohort)
{
	struct world *w = mem_alloc(sizeof(*w));
	bool created;
	sched_init(&w->s, (struct hash_seed){ 1, 2 });
	w->t = sched_transport(&w->s, SV("local"), &created);
	assert_true(created);
	w->t->limits = (struct sched_limits){ .transport_limit = total,
		.dest_limit = dest_limit,
		.initial = initial,
		.failed_cohort_limit = cohort,
		.dest_dead_ms = 1000,
		.probe_ms = 5000,
		.up = { FEEDBACK_CONSTANT, 1 },
		.down = { FEEDBACK_CONSTANT, 1 } };
	buf_init(&w->order, 1 << 20);
	return w;
}

static void world_free(struct world *w)
{
	sched_free(&w->s);
	buf_free(&w->order);
	free(w);
}

static void invariants(struct world *w)
{
	unsigned running = 0;
	size_t ready = 0;
	HTAB_FOREACH (&w->t->dests, de) {
		struct sched_dest *d = de->value;
		bool should = d->entries.n > 0 && d->running < d->window && d->dead_until == 0 &&
		              d->pause.at == 0;
		assert_int_equal(d->ready.at != 0, should);
		if (should)
			assert_true(d->ready.key >= qheap_min(&d->entries)->key &&
			            d->ready.key >= d->service);
		assert_true(d->entries.n > 0 || d->running > 0 || d->dead_until != 0 || d->probing ||
		            d->cohorts > 0 || d->pause.at != 0);
		assert_true(d->window >= 1 && d->success >= 0 && d->success < 1 && d->failure >= 0 &&
		            d->failure < 1);
		running += d->running;
		ready += should;
	}
	assert_int_equal(running, w->t->running);
	assert_int_equal(running, w->s.running);
	assert_int_equal(ready, w->t->ready.n);
}

/* "ax" adds a delivery of mail a for destination x */
static void add(struct world *w, char job, char dest)
{
	struct item *it = &w->items[w->n++];
	assert_true(w->n <= MAX);
	snprintf(it->label, sizeof(it->label), "%c%c ", job, dest);
	it->en.nrcpts = 1;
	sched_add(&it->en, sched_dest(w->t, sv_n(&dest, 1), SV("hop")), &w->jobs[job - 'a']);
	invariants(w);
}

static bool start(struct world *w, int64_t now)
{
	struct sched_entry *en = sched_next(w->t, now);
	invariants(w);
	if (!en)
		return false;
	w->running[w->nrunning++] = en;
	buf_puts(&w->order, CONTAINER_OF(en, struct item, en)->label);
	return true;
}

static bool end_oldest(struct world *w, enum sched_outcome o, int64_t now)
{
	struct sched_entry *en = w->running[0];
	memmove(w->running, w->running + 1, --w->nrunning * sizeof(w->running[0]));
	bool died = sched_done(en, o, SV("4.4.1 no answer"), now);
	invariants(w);
	return died;
}

static void run_all(struct world *w)
{
	while (start(w, 0) || w->nrunning > 0)
		if (w->nrunning >= w->t->limits.transport_limit || w->t->ready.n == 0)
			end_oldest(w, SCHED_GOOD, 0);
}

/* Scripts: pairs to add, then the expected order with one delivery at a time. */
static const struct {
	const char *name, *adds, *want;
} orders[] = {
	{ "first come, first served", "ax bx cx", "ax bx cx " },
	{ "mails take turns", "ax ax ax bx by", "ax by bx ax ax " },
	{ "destinations take turns", "ax bx cx dy ey", "ax dy bx ey cx " },
	{ "a mail to many does not hold up a mail to one", "ap aq ar as at bz",
	        "ap bz aq ar as at " },
};

static void order_of_deliveries(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		struct world *w = world_new(1, 20, 5, 1);
		t_case(orders[i].name);
		for (const char *p = orders[i].adds; *p; p += p[2] ? 3 : 2)
			add(w, p[0], p[1]);
		run_all(w);
		t_assert_sv(buf_sv(&w->order), orders[i].want);
		assert_int_equal(w->t->dests.count, 0);
		world_free(w);
	}
}

static void late_mail_waits_for_no_crowd(void **state)
{
	(void)state;
	struct world *w = world_new(1, 20, 5, 1);
	for (int i = 0; i < 1000; i++)
		add(w, 'a', 'x');
	for (int i = 0; i < 100; i++) {
		assert_true(start(w, 0));
		end_oldest(w, SCHED_GOOD, 0);
	}
	buf_reset(&w->order);
	add(w, 'b', 'y');
	assert_true(start(w, 0));
	end_oldest(w, SCHED_GOOD, 0);
	assert_true(start(w, 0));
	end_oldest(w, SCHED_GOOD, 0);
	assert_true(sv_find(buf_sv(&w->order), SV("by")) >= 0);
	run_all(w);
	world_free(w);
}

static void stuck_destination_holds_up_no_other(void **state)
{
	(void)state;
	struct world *w = world_new(10, 3, 2, 1);
	for (int i = 0; i < 50; i++)
		add(w, 'a', 'x');
	/* two fill the first window of x and never come back */
	assert_true(start(w, 0));
	assert_true(start(w, 0));
	assert_false(start(w, 0));
	add(w, 'b', 'y');
	assert_true(start(w, 0));
	assert_true(sv_ends(buf_sv(&w->order), SV("by ")));
	while (w->nrunning > 0 || start(w, 0))
		end_oldest(w, SCHED_GOOD, 0);
	world_free(w);
}

static void window_grows_to_its_limit(void **state)
{
	(void)state;
	struct world *w = world_new(100, 4, 2, 1);
	unsigned most = 0;
	for (int i = 0; i < 40; i++)
		add(w, 'a', 'x');
	for (;;) {
		while (start(w, 0))
			;
		if (w->t->running > most)
			most = w->t->running;
		if (w->nrunning == 0)
			break;
		end_oldest(w, SCHED_GOOD, 0);
	}
	assert_int_equal(most, 4);
	world_free(w);
}

static void dead_destination(void **state)
{
	(void)state;
	struct world *w = world_new(100, 20, 2, 1);
	for (int i = 0; i < 10; i++)
		add(w, 'a', 'x');
	assert_true(start(w, 0));
	assert_true(start(w, 0));
	struct sched_dest *x = w->running[0]->dest;
	assert_false(end_oldest(w, SCHED_BAD, 100));
	assert_null(sched_dest_dead(x, 100));
	assert_true(end_oldest(w, SCHED_BAD, 100));
	assert_string_equal(sched_dest_dead(x, 100), "4.4.1 no answer");
	assert_false(start(w, 100));
	add(w, 'b', 'y');
	assert_true(start(w, 100));
	assert_true(sv_ends(buf_sv(&w->order), SV("by ")));
	end_oldest(w, SCHED_GOOD, 100);
	/* the caller defers what waits there */
	size_t drained = 0;
	for (struct sched_entry *en; (en = sched_dest_first(x)) != NULL; drained++) {
		sched_remove(en);
		invariants(w);
	}
	assert_int_equal(drained, 8);
	assert_int_equal(w->s.queued, 0);
	/* its time passes */
	sched_revive(&w->s, false, 1099);
	assert_int_equal(w->t->dests.count, 1);
	sched_revive(&w->s, false, 1100);
	assert_null(sched_dest_dead(x, 1100));
	add(w, 'c', 'x');
	assert_true(start(w, 1100));
	end_oldest(w, SCHED_NEUTRAL, 1100);
	/* nobody has asked for it since: forgotten */
	assert_int_equal(w->t->dests.count, 1);
	sched_revive(&w->s, false, 6099);
	assert_int_equal(w->t->dests.count, 1);
	sched_revive(&w->s, false, 6100);
	assert_int_equal(w->t->dests.count, 0);
	world_free(w);
}

/* Mails that come one by one, with nothing between, are as many failures of one site. */
static void failures_are_remembered(void **state)
{
	(void)state;
	struct world *w = world_new(100, 20, 5, 1);
	unsigned failures = 0;
	bool died = false;
	for (int64_t now = 0; !died && failures < 10; now += 1000, failures++) {
		add(w, 'a', 'x');
		assert_true(start(w, now));
		died = end_oldest(w, SCHED_BAD, now);
	}
	assert_true(died && failures == 4);
	sched_revive(&w->s, true, 100000);
	assert_int_equal(w->t->dests.count, 0); /* long ago */
	add(w, 'a', 'x');
	assert_true(start(w, 100000));
	assert_false(end_oldest(w, SCHED_BAD, 100000));
	add(w, 'a', 'x');
	assert_true(start(w, 100001));
	assert_false(end_oldest(w, SCHED_GOOD, 100001));
	assert_int_equal(w->t->dests.count, 0); /* it works: nothing to remember */
	world_free(w);
}

/* What was dead is tried by one delivery at a time, which decides for all; whenever they come. */
static void a_dead_destination_is_probed_once(void **state)
{
	(void)state;
	struct world *w = world_new(100, 20, 5, 1);
	for (int i = 0; i < 5; i++)
		add(w, 'a', 'x');
	while (start(w, 0))
		;
	struct sched_dest *x = w->running[0]->dest;
	unsigned failures = 0;
	while (!end_oldest(w, SCHED_BAD, 100))
		failures++;
	while (w->nrunning > 0)
		assert_false(end_oldest(w, SCHED_BAD, 100)); /* dead once, not once for each of them */
	assert_true(failures > 0 && failures < 5);
	for (int64_t now = 1100; now < 10000; now += 1000) {
		assert_null(sched_dest_dead(x, now));
		for (int i = 0; i < 10; i++)
			add(w, 'b', 'x');
		assert_true(start(w, now));
		assert_false(start(w, now));
		assert_true(end_oldest(w, SCHED_BAD, now));
		assert_false(start(w, now + 999));
		for (struct sched_entry *en; (en = sched_dest_first(x)) != NULL;)
			sched_remove(en);
	}
	/* it is back: a full window at once */
	sched_revive(&w->s, true, 12000);
	for (int i = 0; i < 10; i++)
		add(w, 'c', 'x');
	assert_true(start(w, 12000));
	assert_false(start(w, 12000));
	assert_false(end_oldest(w, SCHED_GOOD, 12000));
	size_t n = 0;
	while (start(w, 12000))
		n++;
	assert_int_equal(n, 5);
	while (w->nrunning > 0 || start(w, 12000))
		end_oldest(w, SCHED_GOOD, 12000);
	assert_int_equal(w->t->dests.count, 0);
	world_free(w);
}

static void feedback_changes_the_window(void **state)
{
	(void)state;
	static const struct {
		struct feedback up, down;
		unsigned good, bad, after_good, after_bad;
	} cases[] = {
		{ { FEEDBACK_CONSTANT, 1 }, { FEEDBACK_CONSTANT, 1 }, 3, 2, 8, 6 },
		{ { FEEDBACK_CONSTANT, 0.1 }, { FEEDBACK_CONSTANT, 0.5 }, 20, 2, 7, 6 },
		{ { FEEDBACK_CONCURRENCY, 1 }, { FEEDBACK_CONCURRENCY, 1 }, 11, 7, 7, 6 }, /* 5 + 6; 7 */
		{ { FEEDBACK_SQRT, 1 }, { FEEDBACK_CONSTANT, 0 }, 3, 4, 6, 6 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = world_new(100, 20, 5, 100);
		w->t->limits.up = cases[i].up;
		w->t->limits.down = cases[i].down;
		for (int k = 0; k < 100; k++)
			add(w, 'a', 'x');
		struct sched_dest *x = sched_dest(w->t, SV("x"), SV("hop"));
		for (unsigned k = 0; k < cases[i].good; k++) {
			while (start(w, 0))
				;
			assert_false(end_oldest(w, SCHED_GOOD, 0));
		}
		assert_int_equal(x->window, cases[i].after_good);
		for (unsigned k = 0; k < cases[i].bad && start(w, 0); k++)
			assert_false(end_oldest(w, SCHED_BAD, 0));
		assert_int_equal(x->window, cases[i].after_bad);
		while (w->nrunning > 0 || start(w, 0))
			end_oldest(w, SCHED_NEUTRAL, 0);
		world_free(w);
	}
}

static void pauses_of_a_destination(void **state)
{
	(void)state;
	struct world *w = world_new(100, 1, 5, 1);
	w->t->limits.dest_pause_ms = 100;
	for (int i = 0; i < 3; i++)
		add(w, 'a', 'x');
	assert_int_equal(sched_pause_end(w->t), 0);
	assert_true(start(w, 0));
	assert_false(start(w, 0));
	end_oldest(w, SCHED_GOOD, 50);
	assert_int_equal(sched_pause_end(w->t), 150);
	assert_false(start(w, 149));
	add(w, 'b', 'y'); /* others need not wait */
	assert_true(start(w, 149));
	assert_true(sv_ends(buf_sv(&w->order), SV("by ")));
	end_oldest(w, SCHED_GOOD, 149);
	assert_int_equal(w->t->dests.count, 2); /* y is remembered, though nothing waits there */
	assert_true(start(w, 150));
	assert_int_equal(sched_pause_end(w->t), 249);
	assert_false(start(w, 249));
	assert_int_equal(w->t->dests.count, 1);
	end_oldest(w, SCHED_NEUTRAL, 300);
	assert_false(start(w, 399));
	assert_true(start(w, 400));
	end_oldest(w, SCHED_GOOD, 400);
	assert_false(start(w, 500));
	assert_int_equal(w->t->dests.count, 0);
	assert_int_equal(sched_pause_end(w->t), 0);
	world_free(w);
}

static void pauses_of_a_transport(void **state)
{
	(void)state;
	struct world *w = world_new(1, 20, 5, 1);
	w->t->limits.transport_pause_ms = 100;
	add(w, 'a', 'x');
	add(w, 'b', 'y');
	assert_true(start(w, 0));
	assert_false(start(w, 0));
	end_oldest(w, SCHED_GOOD, 10);
	assert_int_equal(sched_pause_end(w->t), 110);
	assert_false(start(w, 109));
	assert_true(start(w, 110));
	end_oldest(w, SCHED_GOOD, 110);
	assert_false(start(w, 210));
	assert_int_equal(sched_pause_end(w->t), 0);
	world_free(w);
}

static void one_success_forgives(void **state)
{
	(void)state;
	struct world *w = world_new(100, 20, 2, 1);
	for (int i = 0; i < 10; i++) {
		add(w, 'a', 'x');
		add(w, 'a', 'x');
		assert_true(start(w, 0));
		assert_true(start(w, 0));
		assert_false(end_oldest(w, SCHED_GOOD, 0));
		assert_false(end_oldest(w, SCHED_BAD, 0));
	}
	world_free(w);
}

static void dead_transport(void **state)
{
	(void)state;
	struct world *w = world_new(100, 20, 2, 1);
	add(w, 'a', 'x');
	sched_transport_kill(w->t, 500, SV("4.3.5 no such service"));
	assert_false(start(w, 499));
	assert_string_equal(sched_transport_dead(w->t, 499), "4.3.5 no such service");
	assert_ptr_equal(sched_transport_first(w->t), &w->items[0].en);
	assert_true(start(w, 500));
	end_oldest(w, SCHED_GOOD, 500);
	assert_null(sched_transport_first(w->t));
	world_free(w);
}

static void cohort_limit_zero_never_kills(void **state)
{
	(void)state;
	struct world *w = world_new(100, 20, 5, 0);
	for (int i = 0; i < 100; i++) {
		add(w, 'a', 'x');
		assert_true(start(w, 0));
		assert_false(end_oldest(w, SCHED_BAD, 0));
	}
	world_free(w);
}

static void random_walk(void **state)
{
	(void)state;
	struct world *w = world_new(7, 3, 2, 2);
	uint32_t r = 12345;
	size_t drained = 0, seen = 0;
	int64_t now = 0;
	for (int i = 0; i < 20000; i++) {
		r = r * 1103515245u + 12345u;
		unsigned what = (r >> 16) % 8;
		now += 3;
		if (what < 3 && w->n < MAX) {
			add(w, (char)('a' + (r >> 20) % 26), (char)('a' + (r >> 25) % 9));
		} else if (what < 5) {
			seen += start(w, now);
		} else if (w->nrunning > 0) {
			struct sched_dest *d = w->running[0]->dest;
			if (!end_oldest(w, what == 5 ? SCHED_BAD : SCHED_GOOD, now))
				continue;
			for (struct sched_entry *en; (en = sched_dest_first(d)) != NULL; drained++)
				sched_remove(en);
			sched_revive(&w->s, false, now);
			invariants(w);
		}
	}
	sched_revive(&w->s, true, now + 100000);
	while (w->nrunning > 0 || start(w, now))
		end_oldest(w, SCHED_NEUTRAL, now);
	while (start(w, now))
		end_oldest(w, SCHED_NEUTRAL, now);
	sched_revive(&w->s, true, now + 100000);
	assert_true(seen > 0);
	assert_int_equal(w->s.queued, 0);
	assert_int_equal(w->s.running, 0);
	assert_int_equal(w->t->dests.count, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_of_deliveries),
		cmocka_unit_test(late_mail_waits_for_no_crowd),
		cmocka_unit_test(stuck_destination_holds_up_no_other),
		cmocka_unit_test(window_grows_to_its_limit),
		cmocka_unit_test(dead_destination),
		cmocka_unit_test(failures_are_remembered),
		cmocka_unit_test(a_dead_destination_is_probed_once),
		cmocka_unit_test(feedback_changes_the_window),
		cmocka_unit_test(pauses_of_a_destination),
		cmocka_unit_test(pauses_of_a_transport),
		cmocka_unit_test(one_success_forgives),
		cmocka_unit_test(dead_transport),
		cmocka_unit_test(cohort_limit_zero_never_kills),
		cmocka_unit_test(random_walk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
