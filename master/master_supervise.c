#include <signal.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "master/master.h"

#define IDLE_MS 600000 /* a look around when nothing happens at all */

/* --- signals ------------------------------------------------------------------------------- */

struct signal_watch {
	struct master *master;
	int signum;
};

static void signal_fiber(void *arg)
{
	struct signal_watch *w = arg;
	while (fiber_wait_signal(w->signum, FIBER_FOREVER) == 1) {
		struct master *m = w->master;
		switch (w->signum) {
		case SIGHUP: m->want_reload = true; break;
		case SIGCHLD: break;
		default:
			if (!m->want_stop)
				log_info("stop: signal %d", w->signum);
			m->want_stop = true;
		}
		master_kick(m);
	}
	free(w);
}

static void watch_signal(struct master *m, int signum)
{
	struct signal_watch *w = mem_alloc(sizeof *w);
	w->master = m;
	w->signum = signum;
	if (!fiber_spawn("signal", 32 * 1024, signal_fiber, w))
		log_fatal(EX_OSERR, "no memory for fibers");
}

/* --- stop ---------------------------------------------------------------------------------- */

static void enter_stage(struct master *m, enum stop_stage stage, int64_t now)
{
	m->stage = stage;
	m->stage_end_ms = now + STOP_STAGE_MS;
	m->stage_killed = false;
	LIST_FOREACH (n, &m->generations) {
		struct generation *g = CONTAINER_OF(n, struct generation, link);
		for (size_t i = 0; i < g->count; i++) {
			if (g->services[i].facts->stage != stage)
				continue;
			LIST_FOREACH (k, &g->services[i].children)
				child_stop(CONTAINER_OF(k, struct child, link), "stop", now, 0);
		}
	}
}

static size_t stage_children(const struct master *m, bool kill_them)
{
	size_t count = 0;
	LIST_FOREACH (n, &m->generations) {
		struct generation *g = CONTAINER_OF(n, struct generation, link);
		for (size_t i = 0; i < g->count; i++) {
			struct msvc *svc = &g->services[i];
			if (svc->facts->stage > m->stage)
				continue;
			count += svc->children.count;
			if (!kill_them)
				continue;
			LIST_FOREACH (k, &svc->children) {
				struct child *c = CONTAINER_OF(k, struct child, link);
				log_warn("service %s, pid %d, does not end: killed", svc->cf->name,
				        (int)c->pid);
				(void)kill(c->pid, SIGKILL);
			}
		}
	}
	return count;
}

/* True when everything has ended. */
static bool stop_step(struct master *m, int64_t now, int64_t *next)
{
	for (;;) {
		if (stage_children(m, false) > 0) {
			if (now >= m->stage_end_ms && !m->stage_killed) {
				(void)stage_children(m, true);
				m->stage_killed = true;
			}
			if (!m->stage_killed && m->stage_end_ms < *next)
				*next = m->stage_end_ms;
			return false;
		}
		if (m->stage == STAGE_LOG)
			return true;
		if (m->stage + 1 == STAGE_LOG) {
			log_info("stopped: the last process but the log's has ended");
			log_to_fd(-1);
		}
		enter_stage(m, m->stage + 1, now);
	}
}

/* --- "ready" for the one who started us ------------------------------------------------------ */

static void report_ready(struct master *m, int64_t now, int64_t *next)
{
	if (m->ready_reported)
		return;
	const struct generation *g = m->current;
	const struct msvc *failed = NULL;
	for (size_t i = 0; i < g->count; i++) {
		const struct msvc *svc = &g->services[i];
		if ((!svc->keep && !svc->keep_free) || svc->was_ready)
			continue;
		if (svc->throttled_ms > now || now - m->started_ms >= START_REPORT_MS) {
			failed = svc;
			continue;
		}
		if (m->started_ms + START_REPORT_MS < *next)
			*next = m->started_ms + START_REPORT_MS;
		return;
	}
	m->ready_reported = true;
	if (failed) {
		log_error("started, but service %s does not run", failed->cf->name);
		master_notify("READY=1\nSTATUS=a service does not run: see the log");
		master_tell_starter(m, "failed: service %s does not run: its reason is in the log",
		        failed->cf->name);
	} else {
		log_info("started: version=%s, pid=%d, services=%zu", MERPATI_VERSION,
		        (int)getpid(), g->count);
		master_tell_starter(m, "ready");
		master_notify("READY=1");
	}
}

/* --- the one place of decisions ----------------------------------------------------------------
 */

static int64_t supervise_once(struct master *m)
{
	int64_t now = clock_mono_ms(), next = now + IDLE_MS;
	children_reap(m, now);
	if (m->want_reload)
		generation_reload(m);
	if (m->want_stop && !m->stopping) {
		m->stopping = true;
		master_notify("STOPPING=1");
		enter_stage(m, STAGE_LISTENERS, now);
	}
	if (m->stopping && stop_step(m, now, &next))
		return -1;
	for (size_t i = 0; i < m->current->count; i++)
		service_balance(m, &m->current->services[i], now, &next);
	generation_expire(m, now, &next);
	tickets_turn(m, now, &next);
	report_ready(m, now, &next);
	master_watchdog(m, now, &next);
	return next;
}

void master_supervise(void *arg)
{
	struct master *m = arg;
	static const int signals[] = { SIGHUP, SIGTERM, SIGINT, SIGCHLD };
	m->kick = fiber_event_new();
	m->stopped = fiber_event_new();
	m->reloaded = fiber_event_new();
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		watch_signal(m, signals[i]);
	if (!fiber_spawn("control", 32 * 1024, control_serve, m))
		log_fatal(EX_OSERR, "no memory for fibers");

	(void)fiber_yield(); /* they wait for signals before there is a child to hear of */

	struct generation *g = m->current;
	struct err e = ERR_INIT;
	m->current = NULL;
	if (generation_install(m, g, &e) < 0) {
		log_error("%s", e.text);
		master_tell_starter(m, "failed: %s", e.text);
		generation_free(g);
		master_clean_files(m);
		fiber_stop(EX_CONFIG);
		return;
	}
	int64_t next;
	while ((next = supervise_once(m)) >= 0) {
		if (fiber_event_wait(m->kick, next) < 0)
			break;
		fiber_event_clear(m->kick);
	}
	sockets_close_all(m);
	master_clean_files(m);
	fiber_event_set(m->stopped);
	/* commands that wait for the end get their answer before the process leaves */
	(void)fiber_sleep(50);
	fiber_stop(EX_OK);
}
