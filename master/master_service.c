#include <errno.h>
#include <sys/wait.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "master/master.h"

#define LOCK_RETRY_MS  50
#define START_RETRY_MS 1000

unsigned service_processes(const struct msvc *svc)
{
	return svc->starting + svc->idle + svc->full;
}

static void earlier(int64_t *next, int64_t when)
{
	if (when < *next)
		*next = when;
}

static void throttle(struct msvc *svc, int64_t now)
{
	long seconds = svc->gen->params.service_throttle_time;
	svc->throttled_ms = now + (int64_t)seconds * 1000;
	svc->crashes = 0;
	log_warn("service %s is not started again for %lds; its own lines above say why it ends",
	        svc->cf->name, seconds);
}

/* How many processes SVC lacks at NOW. */
static unsigned lacking(struct msvc *svc, int64_t now)
{
	unsigned total = service_processes(svc), free_ones = svc->starting + svc->idle;
	unsigned want = 0;
	if (svc->wakeup_ms && now >= svc->wakeup_ms) {
		svc->wakeup_ms = now + (int64_t)svc->cf->wakeup * 1000;
		if (total == 0 && (svc->seen || !svc->cf->wakeup_if_used))
			want = 1;
	}
	if (svc->keep > total && svc->keep - total > want)
		want = svc->keep - total;
	if (svc->keep_free > free_ones && svc->keep_free - free_ones > want)
		want = svc->keep_free - free_ones;
	if (svc->demand && free_ones == 0 && want == 0)
		want = 1;
	svc->demand = false;
	return want;
}

/* Start one process. False: not now, *next says when to try again. */
static bool start_one(struct master *m, struct msvc *svc, int64_t now, int64_t *next)
{
	struct err e = ERR_INIT;
	int lock = -1;
	if (svc->exclusive) {
		bool busy = false;
		lock = spawn_take_lock(svc, &busy, &e);
		if (lock < 0 && busy) {
			svc->demand = true;
			earlier(next, now + LOCK_RETRY_MS);
			return false;
		}
	}
	if ((svc->exclusive && lock < 0) || spawn_child(m, svc, lock, &e) < 0) {
		log_error("service %s cannot be started: %s", svc->cf->name, e.text);
		if (lock >= 0)
			sys_close(lock);
		if (e.cls == ERR_CONFIG)
			throttle(svc, now);
		else /* no process or memory to be had: others give some back soon */
			svc->throttled_ms = now + START_RETRY_MS;
		return false;
	}
	svc->seen = true;
	(void)fiber_yield(); /* a fork takes milliseconds; others want to be heard */
	return true;
}

void service_balance(struct master *m, struct msvc *svc, int64_t now, int64_t *next)
{
	bool may = svc->gen == m->current && !(m->stopping && svc->facts->stage <= m->stage);
	bool throttled = svc->throttled_ms > now;
	if (may && !throttled) {
		for (unsigned want = lacking(svc, now); want > 0; want--) {
			if (svc->maxproc && service_processes(svc) >= svc->maxproc)
				break;
			if (m->children >= CHILDREN_MAX) {
				log_warn(
				        "service %s: %d processes run already, no more are started",
				        svc->cf->name, CHILDREN_MAX);
				break;
			}
			if (!start_one(m, svc, now, next))
				break;
		}
		throttled = svc->throttled_ms > now;
	}
	if (may && throttled)
		earlier(next, svc->throttled_ms);
	if (may && svc->wakeup_ms)
		earlier(next, svc->wakeup_ms);
	bool room = !svc->maxproc || service_processes(svc) < svc->maxproc;
	bool watch = may && !throttled && room && svc->starting + svc->idle == 0 && !svc->demand;
	for (size_t i = 0; i < svc->nsocks && svc->gen == m->current; i++) {
		struct msock *s = svc->socks[i];
		if (!s->watched)
			continue;
		if (watch)
			fiber_event_set(s->watched);
		else
			fiber_event_clear(s->watched);
	}
}

static void log_exit(const struct child *c, int status)
{
	const char *command = c->svc->cf->command, *name = c->svc->cf->name;
	if (WIFSIGNALED(status))
		log_warn("process %s of service %s, pid %d, killed by signal %d", command, name,
		        (int)c->pid, WTERMSIG(status));
	else
		log_warn("process %s of service %s, pid %d, exit status %d", command, name,
		        (int)c->pid, WEXITSTATUS(status));
}

/* One session after the other makes its process crash: the others are served in between. */
static void pause_briefly(struct msvc *svc, int64_t now)
{
	int64_t ms = START_RETRY_MS;
	for (unsigned n = CRASHES_TO_THROTTLE; n < svc->served_crashes && ms < CRASH_PAUSE_MAX_MS; n++)
		ms *= 2;
	if (svc->throttled_ms < now + ms)
		svc->throttled_ms = now + ms;
	log_warn("service %s crashed %u times while it served; it is started again in %llds",
	        svc->cf->name, svc->served_crashes, (long long)(ms / 1000));
}

void service_note_exit(
        struct master *m, const struct child *c, int status, enum child_state state, int64_t now)
{
	struct msvc *svc = c->svc;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	log_exit(c, status);
	if (state == CHILD_STOPPING || svc->gen != m->current || m->stopping)
		return;
	svc->crashed++;
	int64_t window = (int64_t)svc->gen->params.service_throttle_time * 1000;
	if (now - svc->crash_window_ms > window) {
		svc->crash_window_ms = now;
		svc->crashes = svc->served_crashes = 0;
	}
	if (c->served) {
		if (++svc->served_crashes >= CRASHES_TO_THROTTLE)
			pause_briefly(svc, now);
		return;
	}
	svc->crashes++;
	/* An exit before "ready": its configuration or surroundings are wrong, and stay so for a
	 * while. A signal may be an accident, or an admin; ten of them are a pattern. */
	if ((state == CHILD_STARTING && WIFEXITED(status)) || svc->crashes >= CRASHES_TO_THROTTLE)
		throttle(svc, now);
}
