/*
 * A process of nobody: root, with no thread, no event loop and no connection but those to master and auth.
 * It does nothing but wait for auth's word whose process it is; that word comes on a connection which it made
 * itself to a socket in a directory that only root writes.
 *
 *     enlist -> wait -> assign_wait() is 1 -> jail_user(), jail_enter() -> assign_answer() -> sessions
 *        \_______/ the connection breaks
 *
 * From then on it is that user's, for good: when auth goes away it serves what it has, and ends.
 */
#include <errno.h>
#include <poll.h>

#include "lib/fiber/fiber.h"
#include "lib/server/server_private.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define DIAL_MS        10000
#define SEND_MS        10000
#define RETRY_MIN_MS   100
#define RETRY_MAX_MS   10000
#define IDENTITY_ARENA (256 * 1024)

enum { STOPPED = 0, ASSIGNED = 1, BROKEN = 2 };

/* Wait for a frame on AUTH (-1: not enlisted) at most MS (-1: for ever). Master is heard meanwhile.
 * 1 AUTH has something, 0 the time is over, -1 the process shall stop. */
static int wait_for(struct server *s, int auth, int64_t ms)
{
	int64_t end = ms < 0 ? FIBER_FOREVER : fiber_deadline(ms);
	while (s->stop == SERVER_RUNS && !s->master_gone) {
		struct pollfd p[] = { { .fd = SERVER_CONTROL_FD, .events = POLLIN },
			{ .fd = auth, .events = POLLIN } };
		int64_t left = ms < 0 ? -1 : end - clock_mono_ms();
		if (ms >= 0 && left <= 0)
			return 0;
		/* a frame that came together with another one lies in memory already */
		bool heard = ipc_pending(s->control);
		int n = heard ? 1 : poll(p, 2, (int)(ms < 0 ? -1 : clock_real_ms(left)));
		if (n < 0 && errno != EINTR) {
			log_warn("poll: %s", strerror(errno));
			return -1;
		}
		if (n > 0 && (heard || p[0].revents))
			(void)control_hear(s);
		else if (n > 0 && p[1].revents)
			return 1;
	}
	return -1;
}

static struct ipc_conn *enlist(struct server *s, unsigned room, struct err *e)
{
	int fd = server_connect("auth", fiber_deadline(DIAL_MS), e);
	if (fd < 0)
		return NULL;
	struct ipc_conn *c = ipc_conn_new(fd);
	if (clnt_auth_enlist(c, sv_z(s->def->handed), room, fiber_deadline(SEND_MS), e) == 1)
		return c;
	ipc_conn_free(c);
	return NULL;
}

/* Whatever auth says: nobody's process becomes root's, or one of our own accounts. */
static int check(const struct server *s, const struct clnt_auth_identity *who, struct err *e)
{
	const char *why = rights_refuse_uid(&s->own, who->uid);
	if (!why)
		why = rights_refuse_gid(&s->own, who->gid);
	for (size_t i = 0; !why && i < who->groups.n; i++)
		why = rights_refuse_gid(&s->own, who->groups.v[i]);
	if (!why)
		return 1;
	return err_set(e, ERR_PERM, "uid %u, gid %u: no process is assigned to %s", (unsigned)who->uid,
		(unsigned)who->gid, why);
}

/* The next word of auth. STOPPED, ASSIGNED, BROKEN, or -1 with E. */
static int next_word(struct server *s, struct err *e)
{
	struct err why = ERR_INIT;
	if (wait_for(s, ipc_conn_fd(s->assigner), -1) < 0)
		return STOPPED;
	int rc = clnt_auth_become(s->assigner, &s->assigned, &s->identity, fiber_deadline(SEND_MS), &why);
	if (rc != 1) {
		if (rc < 0)
			log_warn("%s", why.text);
		return BROKEN;
	}
	s->is_assigned = true;
	return check(s, &s->identity, e) < 0 ? -1 : ASSIGNED;
}

int assign_wait(struct server *s, struct err *e)
{
	unsigned room = 0;
	bool told = false;
	if (!s->def->room || s->def->room(s, &room, e) < 0)
		return s->def->room ? -1 : err_set(e, ERR_BUG, "no number of sessions");
	arena_init(&s->assigned, IDENTITY_ARENA);
	for (int64_t pause = RETRY_MIN_MS;; pause = pause * 2 < RETRY_MAX_MS ? pause * 2 : RETRY_MAX_MS) {
		struct err why = ERR_INIT;
		s->assigner = enlist(s, room, &why);
		if (s->assigner) {
			if (!told)
				control_ready(s);
			told = true;
			pause = RETRY_MIN_MS;
			int rc = next_word(s, e);
			if (rc != BROKEN && rc != ASSIGNED)
				return rc;
			if (rc == ASSIGNED)
				break;
			ipc_conn_free(s->assigner);
			s->assigner = NULL;
		} else if (pause > 4 * RETRY_MIN_MS) {
			log_warn("not enlisted with auth, trying again: %s", why.text);
		}
		if (wait_for(s, -1, pause) < 0)
			return STOPPED;
	}
	s->jail.uid = s->identity.uid;
	s->jail.gid = s->identity.gid;
	s->jail.groups = s->identity.groups.v;
	s->jail.ngroups = s->identity.groups.n;
	s->full = true; /* for everybody else: master keeps another one ready */
	control_load(s);
	return ASSIGNED;
}

void assign_answer(struct server *s, const char *why)
{
	struct err e = ERR_INIT;
	if (clnt_auth_became(s->assigner, why, fiber_deadline(SEND_MS), &e) < 0)
		log_warn("auth was not told of the assignment: %s", e.text);
}

const struct clnt_auth_identity *server_identity(const struct server *s)
{
	return s->is_assigned ? &s->identity : NULL;
}
