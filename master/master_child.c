#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "lib/ipc/msg.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "master/master.h"

#define LAST_WORDS_TURNS 20

/*
 * States of a child; svc->starting, idle, full count them:
 *
 *   STARTING --ready--> IDLE <--load--> FULL
 *       \________________|_______________/
 *                        | stop was sent
 *                     STOPPING --exit--> gone
 */

static unsigned *state_count(struct msvc *svc, enum child_state s)
{
	switch (s) {
	case CHILD_STARTING: return &svc->starting;
	case CHILD_IDLE: return &svc->idle;
	case CHILD_FULL: return &svc->full;
	case CHILD_STOPPING: break;
	}
	return NULL;
}

void child_set_state(struct child *c, enum child_state state)
{
	unsigned *from = state_count(c->svc, c->state), *to = state_count(c->svc, state);
	if (from)
		(*from)--;
	if (to)
		(*to)++;
	c->state = state;
	master_kick(c->master);
}

static int on_ready(struct child *c, const struct ipc_frame *f)
{
	(void)f;
	c->svc->was_ready = true;
	if (c->state == CHILD_STARTING)
		child_set_state(c, CHILD_IDLE);
	return 0;
}

static int on_load(struct child *c, const struct ipc_frame *f, struct err *e)
{
	struct msg_master_load load;
	struct arena a;
	arena_init(&a, 64 * 1024);
	int rc = msg_master_load_decode(f->body, &a, &load, e);
	if (rc >= 0) {
		c->served = c->served || load.sessions > 0;
		if (c->state == CHILD_IDLE || c->state == CHILD_FULL)
			child_set_state(c, load.full ? CHILD_FULL : CHILD_IDLE);
	}
	arena_free(&a);
	return rc;
}

/* One fiber a child: reads its messages until the socket closes, then frees the child. */
static void child_fiber(void *arg)
{
	struct child *c = arg;
	struct ipc_frame f;
	struct err e = ERR_INIT;
	int rc;
	while ((rc = ipc_recv(c->ctl, &f, FIBER_FOREVER, &e)) == 1) {
		if (c->reaped) /* its service may be gone with its generation */
			break;
		if (f.protocol != MSG_master_PROTOCOL || f.version != MSG_master_VERSION) {
			rc = err_set(&e, ERR_BUG, "wrong protocol");
			break;
		}
		if (f.type == MSG_master_ready)
			rc = on_ready(c, &f);
		else if (f.type == MSG_master_load)
			rc = on_load(c, &f, &e);
		else if (f.type == MSG_master_dial)
			dial_answer(c, &f);
		if (rc < 0)
			break;
	}
	if (rc < 0 && !c->reaped && !fiber_cancelled()) {
		log_warn("service %s, pid %d: broken message to master (%s): it is ended",
		        c->svc->cf->name, (int)c->pid, e.text);
		(void)kill(c->pid, SIGTERM);
	}
	ipc_conn_free(c->ctl);
	c->ctl = NULL;
	c->fiber = NULL;
	if (c->reaped)
		free(c);
}

int child_new(struct master *m, struct msvc *svc, pid_t pid, int ctl_fd, struct err *e)
{
	struct child *c = mem_alloc(sizeof *c);
	c->master = m;
	c->svc = svc;
	c->pid = pid;
	c->started_ms = clock_mono_ms();
	int flags = fcntl(ctl_fd, F_GETFL);
	(void)fcntl(ctl_fd, F_SETFL, flags | O_NONBLOCK);
	c->ctl = ipc_conn_new(ctl_fd);
	c->state = CHILD_STARTING;
	svc->starting++;
	svc->gen->children++;
	m->children++;
	list_push(&svc->children, &c->link);
	c->fiber = fiber_spawn("child", 64 * 1024, child_fiber, c);
	if (!c->fiber) {
		/* it sees the end of its control socket and leaves */
		ipc_conn_free(c->ctl);
		c->ctl = NULL;
		return err_set(e, ERR_TEMP, "no memory for a fiber");
	}
	tickets_give(c, c->started_ms);
	return 0;
}

void child_stop(struct child *c, const char *why, int64_t now, int64_t grace_ms)
{
	if (grace_ms > 0 && (!c->kill_ms || c->kill_ms > now + grace_ms))
		c->kill_ms = now + grace_ms;
	/* one that drains after a reload has sessions that only a stop ends */
	bool end = strcmp(why, "reload") != 0;
	if (c->state == CHILD_STOPPING && (!end || c->told_end))
		return;
	c->told_end = end;
	child_set_state(c, CHILD_STOPPING);
	struct msg_master_stop stop = { .why = sv_z(why) };
	struct err e = ERR_INIT;
	if (!c->ctl || msg_master_stop_send(c->ctl, &stop, 0, NULL, 0, fiber_deadline(100), &e) < 0) {
		(void)kill(c->pid, SIGTERM);
		c->termed = true;
	}
}

static struct child *find_pid(struct master *m, pid_t pid)
{
	LIST_FOREACH (n, &m->generations) {
		struct generation *g = CONTAINER_OF(n, struct generation, link);
		for (size_t i = 0; i < g->count; i++) {
			LIST_FOREACH (k, &g->services[i].children) {
				struct child *c = CONTAINER_OF(k, struct child, link);
				if (c->pid == pid)
					return c;
			}
		}
	}
	return NULL;
}

/* A process that ended, not yet reaped: nobody else gets its pid. 0: there is none. */
static pid_t ended(void)
{
	siginfo_t info = { .si_pid = 0 };
	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ? info.si_pid : 0;
}

/* Let C's fiber read what it said before it ended: a session may have been its death at once. */
static void hear_out(const struct child *c)
{
	for (int turn = 0, left = 1; turn < LAST_WORDS_TURNS && left > 0 && c->ctl; turn++) {
		if (ioctl(ipc_conn_fd(c->ctl), FIONREAD, &left) < 0)
			return;
		if (left > 0 && fiber_yield() < 0)
			return;
	}
}

void children_reap(struct master *m, int64_t now)
{
	pid_t pid;
	int status;
	while ((pid = ended()) > 0) {
		struct child *c = find_pid(m, pid);
		if (c)
			hear_out(c);
		if (waitpid(pid, &status, WNOHANG) != pid)
			break;
		if (!c)
			continue;
		struct msvc *svc = c->svc;
		enum child_state last = c->state;
		child_set_state(c, CHILD_STOPPING);
		list_remove(&svc->children, &c->link);
		svc->gen->children--;
		m->children--;
		c->reaped = true;
		/* our own SIGTERM met a process that had not come to its handler yet: as asked */
		if (!c->termed || !WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM)
			service_note_exit(m, c, status, last, now);
		if (c->fiber)
			fiber_cancel(c->fiber);
		else
			free(c);
	}
}

void children_kill_late(struct master *m, struct generation *g, int64_t now, int64_t *next)
{
	(void)m;
	if (g->retired_ms == 0)
		return;
	for (size_t i = 0; i < g->count; i++) {
		LIST_FOREACH (n, &g->services[i].children) {
			struct child *c = CONTAINER_OF(n, struct child, link);
			if (!c->kill_ms)
				continue;
			if (c->kill_ms <= now) {
				log_warn("service %s, pid %d of generation %u: its time after the "
				         "reload "
				         "is over",
				        g->services[i].cf->name, (int)c->pid, g->number);
				(void)kill(c->pid, c->termed ? SIGKILL : SIGTERM);
				c->termed = true;
				c->kill_ms = now + TERM_TO_KILL_MS;
			}
			if (c->kill_ms < *next)
				*next = c->kill_ms;
		}
	}
}
