#include "lib/fiber/fiber.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "lib/base/buf.h"
#include "lib/fiber/loop.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define SLOW_NS        (5 * 1000000LL) /* nobody computes longer at a stretch */
#define BLOCKED_NS     (100 * 1000000LL) /* or blocks so long: less is a busy disk or machine */
#define SLOW_REPORT_NS (10 * 1000000000LL)
#define MEASURED_TURNS 10000
#define IDLE_MS        1000  /* after that a stack is trimmed */
#define LOG_AGAIN_MS   5     /* postlogd was busy: log lines wait so long */
#define ROUNDS_MAX     16    /* of woken fibers before the kernel is asked for news again */
#define LAST_LOG_MS    1000
#define UNWIND_MS      5000  /* for fibers that are still there when the loop ends */

static struct loop the_loop;

struct loop *loop_get(void)
{
	struct loop *l = &the_loop;
	if (!l->ready.head.next) {
		list_init(&l->ready);
		list_init(&l->yielded);
		list_init(&l->idle);
		list_init(&l->all);
		l->timer_at = INT64_MAX;
	}
	return l;
}

#ifndef MERPATI_SANITIZED
static int64_t cpu_ns(const struct rusage *u)
{
	return ((int64_t)u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000000 +
	       ((int64_t)u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1000;
}
#endif

static int64_t real_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* --- one fiber ---------------------------------------------------------------------------------- */

static void entry(void)
{
	struct loop *l = &the_loop;
	struct fiber *f = l->self;
	context_entered(&f->ctx, &l->main);
	f->fn(f->arg);
	f->state = FIBER_ENDED;
	context_switch(&f->ctx, &l->main, 1);
	log_bug("fiber %s ran on after its end", f->name);
}

struct fiber *fiber_spawn(const char *name, size_t stack, fiber_fn fn, void *arg)
{
	struct loop *l = loop_get();
	struct fiber *f = mem_alloc(sizeof(*f));
	void *base;
	size_t size;
	if (stack_get(&f->stack, stack ? stack : FIBER_STACK_DEFAULT, &base, &size) < 0) {
		log_warn("no memory for the stack of another fiber (%s): %s", name, strerror(errno));
		free(f);
		return NULL;
	}
	context_make(&f->ctx, base, size, entry);
	f->name = name;
	f->fn = fn;
	f->arg = arg;
	f->refs = 1;
	f->state = FIBER_READY;
	list_init(&f->joiners);
	list_push(&l->all, &f->all);
	list_push(&l->ready, &f->link);
	return f;
}

struct fiber *fiber_self(void)
{
	return the_loop.self;
}

const char *fiber_name(const struct fiber *f)
{
	return f ? f->name : "main";
}

size_t fiber_count(void)
{
	return loop_get()->all.count;
}

void fiber_hold(struct fiber *f)
{
	f->refs++;
}

void fiber_release(struct fiber *f)
{
	if (--f->refs == 0)
		free(f);
}

static void bury(struct loop *l, struct fiber *f)
{
	list_remove(&l->all, &f->all);
	loop_wake_all(&f->joiners, 1);
	stack_put(&f->stack);
	context_free(&f->ctx);
	fiber_release(f);
}

/* --- park and wake ------------------------------------------------------------------------------ */

int loop_park(struct list *waiters, int64_t deadline)
{
	struct loop *l = &the_loop;
	struct fiber *f = l->self;
	if (!f)
		log_bug("a wait outside of a fiber");
	if (f->cancelled && !f->shielded)
		return -1;
	if (deadline != FIBER_FOREVER && deadline <= clock_mono_ms())
		return 0;
	f->deadline = deadline;
	if (deadline != FIBER_FOREVER)
		heap_insert(l, f);
	if (waiters)
		list_push(waiters, &f->link);
	f->in = waiters;
	f->parked_ms = l->now_ns / 1000000;
	list_push(&l->idle, &f->idle);
	f->state = FIBER_PARKED;
	context_switch(&f->ctx, &l->main, 0);
	return f->wake;
}

void loop_wake(struct fiber *f, int result)
{
	struct loop *l = &the_loop;
	if (f->state != FIBER_PARKED)
		return;
	heap_remove(l, f);
	if (f->in)
		list_remove(f->in, &f->link);
	f->in = NULL;
	if (list_linked(&f->idle))
		list_remove(&l->idle, &f->idle);
	f->wake = result;
	f->state = FIBER_READY;
	list_push(&l->ready, &f->link);
}

struct fiber *loop_wake_one(struct list *waiters, int result)
{
	struct list_node *n = list_first(waiters);
	if (!n)
		return NULL;
	struct fiber *f = CONTAINER_OF(n, struct fiber, link);
	loop_wake(f, result);
	return f;
}

void loop_wake_all(struct list *waiters, int result)
{
	while (loop_wake_one(waiters, result))
		;
}

int64_t fiber_deadline(int64_t ms)
{
	int64_t now = clock_mono_ms();
	if (ms <= 0)
		return now;
	return ms >= INT64_MAX / 2 - now ? FIBER_FOREVER : now + ms;
}

int fiber_sleep(int64_t ms)
{
	if (!the_loop.self) {
		int64_t real = clock_real_ms(ms > 0 ? ms : 0);
		struct timespec ts = { .tv_sec = real / 1000, .tv_nsec = real % 1000 * 1000000 };
		while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
			;
		return 1;
	}
	int rc = loop_park(NULL, fiber_deadline(ms));
	return rc == 0 ? 1 : rc;
}

int fiber_yield(void)
{
	struct loop *l = &the_loop;
	struct fiber *f = l->self;
	if (!f)
		return 1;
	if (f->cancelled && !f->shielded)
		return -1;
	f->wake = 1;
	f->state = FIBER_READY;
	list_push(&l->yielded, &f->link);
	context_switch(&f->ctx, &l->main, 0);
	return f->cancelled && !f->shielded ? -1 : 1;
}

void fiber_cancel(struct fiber *f)
{
	f->cancelled = true;
	if (!f->shielded)
		loop_wake(f, -1);
}

bool fiber_shield(bool on)
{
	struct fiber *f = the_loop.self;
	bool before = f && f->shielded;

	if (f)
		f->shielded = on;
	return before;
}

bool fiber_cancelled(void)
{
	return the_loop.self && the_loop.self->cancelled;
}

int fiber_join(struct fiber *f, int64_t deadline)
{
	if (f->state == FIBER_ENDED)
		return 1;
	return loop_park(&f->joiners, deadline);
}

/* --- the loop ----------------------------------------------------------------------------------- */

#ifndef MERPATI_SANITIZED

/*
 * Somebody ran too long by the clock on the wall: he computed, or blocked in a system call, or the machine
 * was busy. To know which costs a system call, so it is measured for a while only, and only after a first
 * suspicion: what happens once is not reported, what happens again is. It is measured once for all fibers of a
 * turn; those that ran before the suspect cannot have used more than the time that they took.
 */
static void suspect(struct loop *l, const struct fiber *f, int64_t took)
{
	struct watch *w = &l->watch;
	if (!w->measuring) {
		w->measuring = MEASURED_TURNS;
		w->before_ns = 0;
		return;
	}
	if (!w->before_ns)
		return;
	struct rusage u;
	getrusage(RUSAGE_THREAD, &u);
	int64_t others = l->now_ns - took - w->before_ns;
	int64_t cpu = cpu_ns(&u) - cpu_ns(&w->before) - others;
	long blocked = u.ru_nvcsw - w->before.ru_nvcsw;
	w->before = u;
	w->before_ns = l->now_ns;
	if (cpu < SLOW_NS && (blocked == 0 || took < BLOCKED_NS))
		return;
	if (l->now_ns < w->next_report_ns) {
		w->more++;
		return;
	}
	log_info("watchdog: fiber=%s, ran_ms=%lld, cpu_ms=%lld, blocked=%ld, others_since_last_report=%u",
		f->name, (long long)(took / 1000000), (long long)((cpu > 0 ? cpu : 0) / 1000000), blocked, w->more);
	w->next_report_ns = l->now_ns + SLOW_REPORT_NS;
	w->more = 0;
}

static void watch_begin(struct loop *l)
{
	if (!l->watch.measuring)
		return;
	l->watch.measuring--;
	getrusage(RUSAGE_THREAD, &l->watch.before);
	l->watch.before_ns = l->now_ns;
}

static void watch_end(struct loop *l, const struct fiber *f, int64_t took)
{
	if (took >= SLOW_NS)
		suspect(l, f, took);
}

#else

static void watch_begin(struct loop *l)
{
	(void)l;
}

static void watch_end(struct loop *l, const struct fiber *f, int64_t took)
{
	(void)l;
	(void)f;
	(void)took;
}

#endif

static void resume(struct loop *l, struct fiber *f)
{
	int64_t before = l->now_ns;
	f->state = FIBER_RUNNING;
	l->self = f;
	context_switch(&l->main, &f->ctx, 0);
	l->self = NULL;
	l->now_ns = real_ns();
	watch_end(l, f, l->now_ns - before);
	if (f->state == FIBER_ENDED)
		bury(l, f);
}

static void run_ready(struct loop *l)
{
	l->now_ns = real_ns();
	watch_begin(l);
	for (unsigned round = 0; round < ROUNDS_MAX && !list_empty(&l->ready); round++) {
		for (size_t n = l->ready.count; n > 0 && !l->stop; n--)
			resume(l, CONTAINER_OF(list_pop(&l->ready), struct fiber, link));
		if (l->stop)
			return;
	}
	while (!list_empty(&l->yielded))
		list_push(&l->ready, list_pop(&l->yielded));
}

static void trim_idle(struct loop *l, int64_t now_ms)
{
	for (struct list_node *n; (n = list_first(&l->idle)) != NULL;) {
		struct fiber *f = CONTAINER_OF(n, struct fiber, idle);
		if (f->parked_ms + IDLE_MS > now_ms)
			return;
		list_remove(&l->idle, n);
		if (f->ctx.sp)
			stack_trim(&f->stack, f->ctx.sp);
	}
}

static void on_timer(uv_timer_t *t)
{
	struct loop *l = &the_loop;
	(void)t;
	l->timer_at = INT64_MAX;
	uv_stop(&l->uv); /* timers run before the poll, which must not block now */
	int64_t now = clock_mono_ms();
	while (l->heap_len > 0 && l->heap[1]->deadline <= now)
		loop_wake(l->heap[1], 0);
	trim_idle(l, real_ns() / 1000000);
}

/* One timer serves every deadline. It is left alone while it fires early enough: in the steady state,
 * where deadlines only move away, it is armed anew once in a time-out and not once in a wait. */
static void arm_timer(struct loop *l, bool log_waits)
{
	int64_t now = l->now_ns / 1000000;
	int64_t at = log_waits ? now + LOG_AGAIN_MS : INT64_MAX;
	if (l->heap_len > 0) {
		int64_t left = l->heap[1]->deadline - clock_mono_ms();
		int64_t first = now + (left > 0 ? clock_real_ms(left) : 0);
		at = first < at ? first : at;
	}
	struct list_node *n = list_first(&l->idle);
	if (n) {
		int64_t trim = CONTAINER_OF(n, struct fiber, idle)->parked_ms + IDLE_MS;
		if (trim < at)
			at = trim;
	}
	if (at >= l->timer_at)
		return;
	l->timer_at = at;
	uv_update_time(&l->uv);
	uv_timer_start(&l->timer, on_timer, (uint64_t)(at > now ? at - now : 0), 0);
}

static void turn(struct loop *l)
{
	run_ready(l);
	if (l->stop)
		return;
	arm_timer(l, !log_flush(0));
	uv_run(&l->uv, list_empty(&l->ready) ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

/* Let what is left unwind: every wait of it fails now. False when some did not end in time. */
static bool unwind(struct loop *l)
{
	int64_t until = real_ns() + UNWIND_MS * 1000000LL;
	l->stop = false;
	LIST_FOREACH(n, &l->all)
		fiber_cancel(CONTAINER_OF(n, struct fiber, all));
	while (l->all.count > 0 && real_ns() < until) {
		l->timer_at = 0; /* wakes the loop often enough to see UNTIL */
		uv_timer_start(&l->timer, on_timer, 10, 0);
		run_ready(l);
		l->stop = false;
		if (l->all.count > 0)
			uv_run(&l->uv, list_empty(&l->ready) ? UV_RUN_ONCE : UV_RUN_NOWAIT);
	}
	if (l->all.count > 0)
		log_warn("%zu fibers did not end with the loop", l->all.count);
	return l->all.count == 0;
}

static void close_handle(uv_handle_t *h, void *arg)
{
	(void)arg;
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

static void loop_end(struct loop *l)
{
	if (!unwind(l))
		return; /* the process ends; a thread that hangs must not hold it */
	offload_close();
	fd_close_all(l);
	signal_close_all(l);
	uv_walk(&l->uv, close_handle, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	uv_loop_close(&l->uv);
	stack_cache_drop();
	free(l->heap);
	context_free(&l->main);
	memset(l, 0, sizeof(*l));
}

int fiber_main(fiber_fn fn, void *arg)
{
	struct loop *l = loop_get();
	if (l->running)
		log_bug("fiber_main called twice");
	signal(SIGPIPE, SIG_IGN);
	int rc = uv_loop_init(&l->uv);
	if (rc == 0)
		rc = uv_timer_init(&l->uv, &l->timer);
	if (rc < 0)
		log_fatal(71, "event loop: %s", uv_strerror(rc));
	rc = offload_open(l);
	if (rc < 0)
		log_fatal(71, "event loop: %s", uv_strerror(rc));
	context_make_main(&l->main);
	l->running = true;
	log_set_deferred(true);
	if (!fiber_spawn("main", 0, fn, arg))
		log_fatal(71, "no memory for the first fiber");
	while (!l->stop && l->all.count > 0)
		turn(l);
	int code = l->code;
	loop_end(l);
	log_set_deferred(false);
	(void)log_flush(LAST_LOG_MS);
	return code;
}

void fiber_stop(int code)
{
	the_loop.stop = true;
	the_loop.code = code;
}
