#include "lib/server/server_handed.h"

#include "lib/server/server_private.h"

#include <sys/socket.h>

#include "lib/base/list.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"

#define DIAL_MS       10000
#define SEND_MS       10000
#define LEAVE_MS      5000
#define RETRY_MIN_MS  100
#define RETRY_MAX_MS  10000
#define SESSION_ARENA (256 * 1024) /* the hand-over: 64 kB of input and some names */

/*
 * To leave, the process closes its half of the connection to auth; auth sends what is under way and closes
 * the other half. So no session is ever on its way to a process that is gone.
 */
struct server_handed {
	struct server *server;
	struct server_handed_def def;
	unsigned limit; /* sessions at once */
	struct ipc_conn *auth;    /* NULL while not enlisted */
	struct fiber_sem *sender; /* one frame at a time */
	struct list sessions;
	struct fiber *enlister;
	bool leaving;
	int64_t leave_by; /* auth should have closed its half by then */
};

struct handed_session {
	struct list_node node;
	struct server_handed *h;
	struct fiber *fiber;
	struct arena arena;
	struct clnt_auth_session what;
};

/* Master keeps one process that is not full. */
static void tell_master(struct server_handed *h)
{
	bool full = h->sessions.count >= h->limit || h->server->is_assigned;

	if (h->leaving || full == h->server->full)
		return;
	h->server->full = full;
	control_load(h->server);
}

/* A session ended: auth may send another one. */
static void give_room(struct server_handed *h)
{
	struct err e = ERR_INIT;

	tell_master(h);

	if (!h->auth || h->leaving || fiber_sem_take(h->sender, fiber_deadline(SEND_MS)) != 1)
		return;
	/* the connection may have gone while this fiber waited; a new one was told the right number
	 */
	if (h->auth && clnt_auth_room(h->auth, 1, fiber_deadline(SEND_MS), &e) < 0) {
		log_warn("cannot tell auth that there is room: %s", e.text);
		shutdown(ipc_conn_fd(h->auth), SHUT_RDWR);
	}
	fiber_sem_give(h->sender);
}

static void run_session(void *arg)
{
	struct handed_session *s = arg;
	struct server_handed *h = s->h;

	h->def.serve(h->def.ctx, &s->what);
	list_remove(&h->sessions, &s->node);
	fiber_release(s->fiber);
	arena_free(&s->arena);
	free(s);
	server_count_session(h->server, -1);
	give_room(h);
}

/* Wait for a session and start it. False: the connection is of no use any more. */
static bool take_session(struct server_handed *h, struct err *e)
{
	struct handed_session *s = mem_alloc(sizeof(*s));

	s->h = h;
	arena_init(&s->arena, SESSION_ARENA);
	int rc = clnt_auth_session(h->auth, &s->arena, &s->what, FIBER_FOREVER, e);

	if (rc == 1 && s->what.who.uid != geteuid()) {
		rc = err_set(e, ERR_BUG, "a session of uid %u for a process of uid %u", (unsigned)s->what.who.uid,
			(unsigned)geteuid());
		log_error("%s", e->text);
		fiber_close(s->what.fd);
	} else if (rc == 1) {
		s->fiber = fiber_spawn(h->server->def->handed, h->def.stack, run_session, s);
		if (s->fiber) {
			fiber_hold(s->fiber);
			list_push(&h->sessions, &s->node);
			server_count_session(h->server, 1);
			tell_master(h);
			return true;
		}
		log_error("no memory for the session of %.*s", SV_ARG(s->what.who.name));
		fiber_close(s->what.fd);
		give_room(h);
	} else if (rc == 0) {
		err_set(e, ERR_TEMP, "auth closed the connection");
	}
	arena_free(&s->arena);
	free(s);
	return rc == 1;
}

static int enlist(struct server_handed *h, struct err *e)
{
	int fd = server_dial(h->server, "auth", fiber_deadline(DIAL_MS), e);

	if (fd < 0)
		return -1;
	struct ipc_conn *c = ipc_conn_new(fd);
	size_t active = h->sessions.count;
	uint32_t room = active < h->limit ? h->limit - (uint32_t)active : 0;

	if (clnt_auth_enlist(c, sv_z(h->server->def->handed), room, fiber_deadline(SEND_MS), e) < 0) {
		ipc_conn_free(c);
		return -1;
	}
	h->auth = c;
	return 1;
}

/* The connection is of no use any more; nobody may be sending on it while it goes. */
static void unlist(struct server_handed *h)
{
	bool shielded = fiber_shield(true);

	while (fiber_sem_take(h->sender, fiber_deadline(SEND_MS)) == 0)
		;
	ipc_conn_free(h->auth);
	h->auth = NULL;
	fiber_sem_give(h->sender);
	fiber_shield(shielded);
}

static void take_sessions(struct server_handed *h, struct err *e)
{
	while (take_session(h, e))
		;
	unlist(h);
}

/* A private instance: with auth as long as there is one. */
static void stay_enlisted(struct server_handed *h)
{
	int64_t retry = RETRY_MIN_MS;

	while (!h->leaving) {
		struct err e = ERR_INIT;

		if (enlist(h, &e) == 1) {
			retry = RETRY_MIN_MS;
			take_sessions(h, &e);
		}
		if (h->leaving || fiber_cancelled())
			break;
		if (retry > 4 * RETRY_MIN_MS)
			log_warn("not enlisted with auth, trying again: %s", e.text);
		if (fiber_sleep(retry) < 0)
			break;
		retry = retry * 2 < RETRY_MAX_MS ? retry * 2 : RETRY_MAX_MS;
	}
}

/* Auth knows whose process this is by the connection that assigned it, and by nothing else. */
static void stay_assigned(struct server_handed *h)
{
	struct err e = ERR_INIT;

	h->auth = h->server->assigner;
	h->server->assigner = NULL;
	take_sessions(h, &e);
	if (h->leaving)
		return;
	if (e.cls == ERR_BUG) /* this auth is not to be believed */
		log_error("no more sessions are taken: %s", e.text);
	server_ask_stop(h->server, SERVER_DRAINS, e.text);
}

static void run_enlister(void *arg)
{
	struct server_handed *h = arg;

	if (h->server->is_assigned)
		stay_assigned(h);
	else
		stay_enlisted(h);
	h->enlister = NULL;
	h->server->leaving = false;
	fiber_event_set(h->server->changed);
}

static void leave(void *arg)
{
	struct server_handed *h = arg;

	if (!h->enlister)
		return;
	h->leaving = h->server->leaving = true;
	h->leave_by = fiber_deadline(LEAVE_MS);
	fiber_event_set(h->server->changed);
	if (h->auth)
		shutdown(ipc_conn_fd(h->auth), SHUT_WR);
	else
		fiber_cancel(h->enlister); /* it dials, or rests before it does */
}

/* The process shall end, not only drain: so shall its sessions. It does not wait for auth for ever. */
static void run_ender(void *arg)
{
	struct server_handed *h = arg;

	for (;;) {
		if (h->server->stop == SERVER_ENDS)
			LIST_FOREACH (n, &h->sessions)
				fiber_cancel(CONTAINER_OF(n, struct handed_session, node)->fiber);
		/* whoever waits for this event looks at everything when it is set, then clears it
		 */
		fiber_event_clear(h->server->changed);
		int rc = fiber_event_wait(
		        h->server->changed, h->enlister && h->leaving ? h->leave_by : FIBER_FOREVER);
		if (rc < 0)
			return;
		if (rc == 0 && h->enlister) {
			h->leave_by = FIBER_FOREVER;
			fiber_cancel(h->enlister);
		}
	}
}

struct server_handed *server_handed_start(
        struct server *s, const struct server_handed_def *def, struct err *e)
{
	struct server_handed *h = mem_alloc(sizeof(*h));

	h->server = s;
	h->def = *def;
	list_init(&h->sessions);
	h->sender = fiber_sem_new(1);
	if (s->def->room(s, &h->limit, e) < 0)
		return NULL; /* the process ends */
	h->enlister = fiber_spawn("enlist", 0, run_enlister, h);
	if (!h->enlister || !fiber_spawn("leave", 0, run_ender, h)) {
		err_set(e, ERR_TEMP, "no memory for a fiber");
		return NULL;
	}
	s->leave = leave;
	s->leave_arg = h;
	return h;
}

size_t server_handed_count(const struct server_handed *h)
{
	return h->sessions.count;
}
