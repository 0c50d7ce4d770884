/* From "ready" to the end: stop, drain, idle, used up. */
#include <errno.h>
#include <signal.h>

#include "lib/server/server_private.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define STOP_GRACE_MS 5000 /* for what a connection is in the middle of when the instance stops */
#define LAST_MS       2000 /* to unwind after the cancel */

void server_ask_stop(struct server *s, enum server_stop how, const char *why)
{
	if (how <= s->stop)
		return;
	log_debug("stopping: why=%s", why);
	s->stop = how;
	fiber_event_set(s->changed);
}

void server_stop(struct server *s, int code)
{
	s->code = code;
	server_ask_stop(s, SERVER_ENDS, "own decision");
}

void server_drain(struct server *s, const char *why)
{
	if (s->stop == SERVER_RUNS)
		log_warn("no new sessions: %s", why);
	server_ask_stop(s, SERVER_DRAINS, why);
}

bool server_is_stopping(const struct server *s)
{
	return s->stop != SERVER_RUNS;
}

bool server_is_ending(const struct server *s)
{
	return s->stop == SERVER_ENDS;
}

void server_count_session(struct server *s, int delta)
{
	bool first = delta > 0 && s->served == 0;
	s->sessions += delta;
	if (delta > 0)
		s->served += (uint64_t)delta;
	if (first)
		control_load(s);
	s->last_busy = clock_mono_ms();
	fiber_event_set(s->changed);
}

static void wait_sigterm(void *arg)
{
	if (fiber_wait_signal(SIGTERM, FIBER_FOREVER) == 1)
		server_ask_stop(arg, SERVER_ENDS, "SIGTERM");
}

static bool busy(const struct server *s)
{
	return s->active > 0 || s->sessions > 0 || s->leaving;
}

/* When to leave by itself: now, at some time, or never. */
static int64_t leave_at(const struct server *s)
{
	const struct server_def *d = s->def;
	if (s->is_assigned && !busy(s)) /* nobody else can be served by this process */
		return s->last_busy + s->core.assigned_max_idle * 1000;
	if (d->singleton || busy(s))
		return FIBER_FOREVER;
	if (s->retired || (!d->serve && s->core.max_use > 0 && s->served >= (uint64_t)s->core.max_use))
		return 0;
	return s->core.max_idle > 0 ? s->last_busy + s->core.max_idle * 1000 : FIBER_FOREVER;
}

/* The daemon serves until somebody asks it to stop or there is nothing to stay for. */
static void serve_until_stop(struct server *s)
{
	while (s->stop == SERVER_RUNS) {
		int64_t at = leave_at(s);
		if (at <= clock_mono_ms()) {
			log_debug("leaving: served=%llu", (unsigned long long)s->served);
			return;
		}
		fiber_event_clear(s->changed);
		if (fiber_event_wait(s->changed, at) < 0)
			return;
	}
}

/* Nothing new is accepted; what is there may end. A reload that becomes a stop shortens the time. */
static void drain(struct server *s)
{
	int64_t ends = FIBER_FOREVER;
	bool cancelled = false;
	accept_end(s);
	accept_cancel_idle(s);
	if (s->leave)
		s->leave(s->leave_arg);
	while (busy(s)) {
		if (s->stop == SERVER_ENDS && ends == FIBER_FOREVER) {
			ends = fiber_deadline(STOP_GRACE_MS);
			accept_cancel_idle(s);
		}
		fiber_event_clear(s->changed);
		int rc = fiber_event_wait(s->changed, ends);
		if (rc == 0 && cancelled)
			log_warn("%u connections and %d sessions did not end in time: they are cut off",
				s->active, s->sessions);
		if (rc < 0 || (rc == 0 && cancelled))
			return;
		if (rc == 0) {
			accept_cancel_all(s);
			cancelled = true;
			ends = fiber_deadline(LAST_MS);
		}
	}
}

void server_life(void *arg)
{
	struct server *s = arg;
	struct err e = ERR_INIT;
	s->last_busy = clock_mono_ms();
	if (!fiber_spawn("sigterm", 0, wait_sigterm, s) || control_start(s, &e) < 0 ||
		(s->def->post_jail && s->def->post_jail(s, &e) < 0) || accept_start(s, &e) < 0) {
		log_error("%s", e.text[0] ? e.text : "no memory for fibers");
		fiber_stop(e.cls == ERR_CONFIG ? 78 : 75);
		return;
	}
	if (!s->is_assigned) /* it told so before */
		control_ready(s);
	serve_until_stop(s);
	if (s->stop == SERVER_RUNS)
		s->stop = SERVER_DRAINS; /* leaving by itself: handlers that look see it */
	if (s->def->stopping)
		s->def->stopping(s);
	drain(s);
	fiber_stop(s->code);
}
