/*
 * One connection: requests and answers until its other end closes it. It holds one lock at most.
 *
 *     free ──LOCK──> locked ──UNLOCK, end of the connection──> free
 *
 * A lock that an earlier process of ours made for the same client is taken over by whatever he asks first (dotlock.h):
 * so an end of maillock is no end of locks. The note of an append stays when a connection ends in the middle: it is
 * for whoever opens the mailbox next.
 */
#include <errno.h>
#include <sys/socket.h>

#include "lib/clnt/clnt_auth.h"
#include "lib/fiber/fiber.h"
#include "lib/server/rights.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "maillock/maillock.h"

#define FRAME_MS 10000 /* for the rest of a frame, for an answer */
#define TOUCH_MS 60000 /* others believe that an older lock is nobody's: liblockfile after 300 s */
#define AUTH_MS  10000 /* clients wait 15 s */

struct session {
	const struct maillock *m;
	struct server_conn *c;
	struct ucred peer;
	char lock_name[MAILLOCK_NAME_MAX + 8];
	struct dotlock lock; /* .name NULL: none */
};

/* --- work on the directory, in a thread ---------------------------------------------------------- */

enum step { STEP_OWNER, STEP_LOCK, STEP_MAKE, STEP_NOTE, STEP_FORGET, STEP_DROP, STEP_TOUCH };

struct job {
	struct session *s;
	enum step step;
	const struct maillock_request *r;
	int rc;
	struct err e;
};

static void run(void *arg)
{
	struct job *j = arg;
	struct session *s = j->s;
	const struct spool *spool = &s->m->spool;
	switch (j->step) {
	case STEP_OWNER: j->rc = spool_owner(spool, j->r->name, s->peer.uid, &j->e); break;
	case STEP_LOCK: j->rc = spool_lock(spool, s->lock_name, s->peer.pid, &s->lock, &j->e); break;
	case STEP_MAKE: j->rc = spool_make(spool, j->r->name, s->peer.uid, &j->e); break;
	case STEP_NOTE: j->rc = spool_note(spool, j->r->name, j->r->number, &j->e); break;
	case STEP_FORGET: j->rc = spool_note(spool, j->r->name, NULL, &j->e); break;
	case STEP_DROP: dotlock_drop(&s->lock); break;
	case STEP_TOUCH: dotlock_touch(&s->lock); break;
	}
}

static int offload(struct session *s, enum step step, const struct maillock_request *r, struct err *e)
{
	struct job j = { .s = s, .step = step, .r = r };
	fiber_offload(FIBER_POOL_DURABLE, run, &j);
	if (j.rc < 0 && e)
		*e = j.e;
	return j.rc;
}

/* --- whose mailbox ------------------------------------------------------------------------------- */

static int refuse(const struct session *s, const char *name, const char *why, struct err *e)
{
	return err_set(e, ERR_PERM, "uid %u, pid %d: mailbox \"%s\": %s", (unsigned)s->peer.uid, (int)s->peer.pid, name,
		why);
}

/* Does the user directory say that the peer is called so? 1, -1. */
static int named_so(const struct session *s, const char *name, struct err *e)
{
	struct clnt_auth_identity who;
	int rc = clnt_auth_who(s->m->auth, sv_z(name), s->c->arena, &who, fiber_deadline(AUTH_MS), e);
	if (rc < 0)
		return -1;
	return rc == 1 && who.uid == s->peer.uid ? 1 : refuse(s, name, "is not this user's name", e);
}

/* 1 it is the peer's, 2 it is his to be, and missing; -1. */
static int whose(struct session *s, const struct maillock_request *r, struct err *e)
{
	int rc = offload(s, STEP_OWNER, r, e);
	if (rc == 2 && !s->m->any_owner)
		return refuse(s, r->name, "belongs to another user", e);
	if (rc == 0 || rc == 2)
		return named_so(s, r->name, e) < 0 ? -1 : rc == 0 ? 2 : 1;
	return rc;
}

/* --- requests ------------------------------------------------------------------------------------ */

static bool holds(const struct session *s, const char *name)
{
	size_t n = strlen(name);
	return s->lock.name && strncmp(s->lock_name, name, n) == 0 && strcmp(s->lock_name + n, ".lock") == 0;
}

/* 1 ours, 0 somebody else's, -1. */
static int lock(struct session *s, const struct maillock_request *r, struct err *e)
{
	if (holds(s, r->name))
		return 1;
	if (s->lock.name)
		return refuse(s, r->name, "this connection holds another lock", e);
	if (whose(s, r, e) < 0)
		return -1;
	(void)snprintf(s->lock_name, sizeof(s->lock_name), "%s.lock", r->name);
	return offload(s, STEP_LOCK, r, e);
}

static int handle(struct session *s, const struct maillock_request *r, struct err *e)
{
	int rc;
	switch (r->op) {
	case MAILLOCK_LOCK: return lock(s, r, e);
	case MAILLOCK_MAKE:
		rc = whose(s, r, e);
		return rc == 2 ? offload(s, STEP_MAKE, r, e) : rc;
	case MAILLOCK_UNLOCK:
		rc = lock(s, r, e);
		if (rc == 1)
			(void)offload(s, STEP_DROP, r, NULL);
		return rc < 0 ? -1 : 1; /* one that somebody has broken is gone, too */
	case MAILLOCK_NOTE:
	case MAILLOCK_FORGET:
		/* also without a lock of ours: mailbox_delivery_lock may name none but the kernel's */
		rc = holds(s, r->name) ? 1 : whose(s, r, e);
		return rc < 0 ? -1 : offload(s, r->op == MAILLOCK_NOTE ? STEP_NOTE : STEP_FORGET, r, e);
	}
	return err_set(e, ERR_BUG, "operation %d", (int)r->op);
}

static struct maillock_answer answer_to(struct session *s, const struct maillock_request *r)
{
	struct err e = ERR_INIT;
	int rc = handle(s, r, &e);
	arena_reset(s->c->arena);
	if (rc >= 0)
		return (struct maillock_answer){ .status = rc > 0 ? MAILLOCK_DONE : MAILLOCK_BUSY };
	log_warn("%s", e.text);
	if (e.cls == ERR_PERM)
		return (struct maillock_answer){ .status = MAILLOCK_REFUSED };
	return (struct maillock_answer){ .status = MAILLOCK_TROUBLE, .sys_errno = e.sys_errno ? e.sys_errno : EAGAIN };
}

/* --- frames -------------------------------------------------------------------------------------- */

/* 1 a frame, 0 the end, -1 trouble. While a lock is held it is kept fresh. */
static int read_frame(struct session *s, unsigned char *p)
{
	size_t got = 0;
	int64_t until = FIBER_FOREVER;
	while (got < MAILLOCK_REQUEST_LEN) {
		bool between = got == 0;
		if (between)
			until = s->lock.name ? fiber_deadline(TOUCH_MS) : FIBER_FOREVER;
		int rc = fiber_wait_fd(s->c->fd, FIBER_READ, until);
		if (rc == 0 && between) {
			(void)offload(s, STEP_TOUCH, NULL, NULL);
			continue;
		}
		if (rc != 1)
			return -1;
		ssize_t n = sys_read(s->c->fd, p + got, MAILLOCK_REQUEST_LEN - got);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			return n == 0 && between ? 0 : -1;
		if (between)
			until = fiber_deadline(FRAME_MS);
		got += (size_t)n;
	}
	return 1;
}

/* Of one that is so small there is always room for the whole, unless its reader has left many unread. */
static int send_answer(const struct session *s, const struct maillock_answer *a)
{
	unsigned char frame[MAILLOCK_ANSWER_LEN];
	maillock_answer_put(a, frame);
	struct iovec v = { .iov_base = frame, .iov_len = sizeof(frame) };
	const struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	return sys_sendmsg(s->c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(frame) ? 0 : -1;
}

static void talk(struct session *s)
{
	unsigned char frame[MAILLOCK_REQUEST_LEN];
	struct maillock_request r;
	while (read_frame(s, frame) == 1) {
		if (maillock_request_get(frame, &r) < 0) {
			log_warn("uid %u, pid %d: not a request: connection closed", (unsigned)s->peer.uid,
				(int)s->peer.pid);
			break;
		}
		bool before = fiber_shield(true); /* what is begun is ended, and told */
		struct maillock_answer a = answer_to(s, &r);
		fiber_shield(before);
		if (send_answer(s, &a) < 0)
			break;
	}
	if (s->lock.name)
		(void)offload(s, STEP_DROP, NULL, NULL);
}

void maillock_serve(struct server_conn *c)
{
	struct maillock *m = c->state;
	struct session s = { .m = m, .c = c };
	socklen_t len = sizeof(s.peer);
	const char *why = NULL;
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &s.peer, &len) < 0 || s.peer.pid <= 0)
		log_warn("a peer that the kernel does not tell: connection closed");
	else if ((why = rights_refuse_uid(server_own_accounts(m->server), s.peer.uid)))
		log_warn("pid %d: nothing is done for %s: connection closed", (int)s.peer.pid, why);
	else if (!users_enter(m->users, s.peer.uid))
		log_warn("uid %u has %d connections: another one is closed", (unsigned)s.peer.uid,
			USER_CONNECTIONS_MAX);
	else {
		talk(&s);
		users_leave(m->users, s.peer.uid);
	}
	fiber_close(c->fd);
}
