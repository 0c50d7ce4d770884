/* One connection to auth: look-ups, sign-in, hand-over; or, after enlist, a member's connection. */
#include "auth/auth.h"

#include "lib/fiber/fiber.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define IDLE_MS     (3600 * 1000)
#define SEND_MS     30000
#define REQUEST_MAX (256 * 1024) /* arena of one request: hand_over brings 64 kB */
#define INPUT_MAX   65536

struct auth_link {
	struct auth *auth;
	struct ipc_conn *conn;
	bool trusted; /* class queue */
	struct server_conn *sc;
	struct auth_ticket ticket;
	struct arena arena; /* of one request */
};

enum { ANSWER_NO = 0, ANSWER_YES = 1, ANSWER_TROUBLE = 2 };

/* Between requests nothing is lost when the connection ends. */
static void idle(struct auth_link *l, bool on)
{
	if (l->sc)
		server_conn_idle(l->sc, on);
}

static uint32_t status_of(int rc)
{
	return rc < 0 ? ANSWER_TROUBLE : rc ? ANSWER_YES : ANSWER_NO;
}

static struct sv reason(int rc, const struct err *e)
{
	return rc < 0 ? sv_z(e->text) : SV_NONE;
}

static int64_t soon(void)
{
	return fiber_deadline(SEND_MS);
}

static int do_exists(struct auth_link *l, const struct ipc_frame *f, struct err *e)
{
	struct msg_auth_exists q;
	struct auth_account who;

	if (msg_auth_exists_decode(f->body, &l->arena, &q, e) < 0)
		return -1;
	struct err why = ERR_INIT;
	int rc = auth_account_find(l->auth, q.name, true, &l->arena, &who, &why);
	struct msg_auth_existence r = { .status = status_of(rc), .error = reason(rc, &why) };

	return msg_auth_existence_send(l->conn, &r, f->request_id, NULL, 0, soon(), e);
}

static int do_who(struct auth_link *l, const struct ipc_frame *f, struct err *e)
{
	struct auth_account who = { .name = SV_NONE };
	struct msg_auth_who q;

	if (msg_auth_who_decode(f->body, &l->arena, &q, e) < 0)
		return -1;
	struct err why = ERR_INIT;
	int rc = auth_identity(l->auth, q.kind, q.name, -1, &l->arena, &who, &why);
	struct msg_auth_identity r = { .status = status_of(rc), .error = reason(rc, &why) };

	if (rc == 1) {
		r.name = who.name;
		r.uid = who.uid;
		r.gid = who.gid;
		r.home = who.home;
		r.mail = who.mail;
		r.shell = who.shell;
	}
	return msg_auth_identity_send(l->conn, &r, f->request_id, NULL, 0, soon(), e);
}

static int do_sign_in(struct auth_link *l, const struct ipc_frame *f, struct err *e)
{
	struct msg_auth_sign_in q;
	int rc = msg_auth_sign_in_decode(f->body, &l->arena, &q, e);

	if (rc < 0)
		return -1;
	struct err why = ERR_INIT;

	if (!sv_eqz(q.mechanism, "PLAIN"))
		rc = 0;
	else
		rc = auth_sign_in(l->auth, &q, &l->ticket, &why);
	if (rc < 0)
		log_error("sign-in of %.*s from %.*s not decided: %s", SV_ARG(q.user),
		        SV_ARG(q.remote_addr), why.text);
	struct msg_auth_verdict r = { .status = status_of(rc), .text = reason(rc, &why) };

	if (rc == 1) {
		r.user = l->ticket.who.name;
		r.token = sv_n((const char *)l->ticket.token, sizeof(l->ticket.token));
	}
	/* the frame held the password: it goes before the next one comes */
	explicit_bzero((void *)(uintptr_t)f->body.p, f->body.len);
	return msg_auth_verdict_send(l->conn, &r, f->request_id, NULL, 0, soon(), e);
}

/* Constant in time: what differs must not be learnt octet by octet. */
static bool same_token(const struct auth_ticket *t, struct sv token)
{
	unsigned diff = 0;

	if (token.len != sizeof(t->token))
		return false;
	for (size_t i = 0; i < sizeof(t->token); i++)
		diff |= (unsigned)t->token[i] ^ (unsigned char)token.p[i];
	return diff == 0;
}

static int pass_on(struct auth_link *l, const struct msg_auth_hand_over *q, int fd, struct err *e)
{
	struct auth_ticket *t = &l->ticket;
	bool good = t->expires != 0 && clock_mono_ms() < t->expires && same_token(t, q->token) &&
	            sv_eqz(q->service, t->service);

	t->expires = 0; /* once, whatever comes of it */
	if (!good)
		return err_set(e, ERR_PERM, "this token is not valid");
	if (fd < 0 || q->input.len > INPUT_MAX)
		return err_set(e, ERR_PERM, "bad hand-over");
	struct msg_auth_session m = {
		.user = t->who.name,
		.uid = t->who.uid,
		.gid = t->who.gid,
		.home = t->who.home,
		.mail = t->who.mail,
		.input = q->input,
		.tag = q->tag,
		.remote_addr = q->remote_addr,
		.local_addr = q->local_addr,
		.session = q->session,
	};

	return auth_switch_pass(
	        l->auth->sw, q->service, &t->who, &m, fd, fiber_deadline(l->auth->set.wait_ms), e);
}

static int do_hand_over(struct auth_link *l, struct ipc_frame *f, struct err *e)
{
	struct msg_auth_hand_over q;
	int fd = ipc_take_fd(f, 0);
	int rc = msg_auth_hand_over_decode(f->body, &l->arena, &q, e);

	if (rc < 0) {
		if (fd >= 0)
			fiber_close(fd);
		return -1;
	}
	struct err why = ERR_INIT;

	rc = pass_on(l, &q, fd, &why);
	if (rc < 0)
		log_warn("session %.*s not handed over: %s", SV_ARG(q.session), why.text);
	if (fd >= 0)
		fiber_close(fd);
	struct msg_auth_handed r = { .ok = rc == 1, .error = reason(rc, &why) };

	return msg_auth_handed_send(l->conn, &r, f->request_id, NULL, 0, soon(), e);
}

/* A postman that has, or takes on, the wanted identity gets the socket. */
static int assign(struct auth_link *l, const struct msg_auth_assign *q, int fd, int file, struct err *e)
{
	struct auth_account who;
	int rc = auth_identity(l->auth, q->kind, q->name, file, &l->arena, &who, e);

	if (rc == 0)
		return err_set(e, ERR_TEMP, "user %.*s is not in the directory any more", SV_ARG(q->name));
	if (rc < 0)
		return -1;
	if (fd < 0)
		return err_set(e, ERR_PERM, "no socket in the request");
	struct msg_auth_session m = {
		.user = who.name,
		.uid = who.uid,
		.gid = who.gid,
		.home = who.home,
		.mail = who.mail,
		.session = q->session,
	};

	return auth_switch_pass(
	        l->auth->sw, q->service, &who, &m, fd, fiber_deadline(l->auth->set.wait_ms), e);
}

static int do_assign(struct auth_link *l, struct ipc_frame *f, struct err *e)
{
	struct msg_auth_assign q;
	int fd = ipc_take_fd(f, 0), file = ipc_take_fd(f, 1);
	int rc = msg_auth_assign_decode(f->body, &l->arena, &q, e);

	if (rc == 1) {
		struct err why = ERR_INIT;

		rc = assign(l, &q, fd, file, &why);
		if (rc < 0)
			log_warn("%.*s: no %.*s for %.*s %.*s: %s", SV_ARG(q.session), SV_ARG(q.service),
			        SV_ARG(q.kind), SV_ARG(q.name), why.text);
		struct msg_auth_handed r = { .ok = rc == 1, .error = reason(rc, &why) };

		rc = msg_auth_handed_send(l->conn, &r, f->request_id, NULL, 0, soon(), e);
	}
	if (fd >= 0)
		fiber_close(fd);
	if (file >= 0)
		fiber_close(file);
	return rc;
}

static int do_enlist(struct auth_link *l, const struct ipc_frame *f, struct err *e)
{
	struct msg_auth_enlist q;
	uid_t uid;
	gid_t gid;
	pid_t pid;

	if (msg_auth_enlist_decode(f->body, &l->arena, &q, e) < 0)
		return -1;
	/* root: what master started has connected itself, and is nobody's process yet */
	bool nobodys = l->auth->set.only_uid == (uid_t)-1;
	if (ipc_peer(l->conn, &uid, &gid, &pid) < 0 || uid != (nobodys ? 0 : l->auth->set.only_uid))
		return err_set(e, ERR_PERM, "a process of another uid wants to serve %.*s",
		        SV_ARG(q.service));
	idle(l, true);
	auth_switch_member(l->auth->sw, l->conn, q.service, q.room, nobodys);
	return err_set(e, ERR_NONE, "ended");
}

/* 0 or more: go on; -1: close the connection. */
static int dispatch(struct auth_link *l, struct ipc_frame *f, struct err *e)
{
	switch (f->type) {
	case MSG_auth_exists: return do_exists(l, f, e);
	case MSG_auth_sign_in: return do_sign_in(l, f, e);
	case MSG_auth_hand_over: return do_hand_over(l, f, e);
	case MSG_auth_who:
		if (l->trusted)
			return do_who(l, f, e);
		break;
	case MSG_auth_assign:
		if (l->trusted)
			return do_assign(l, f, e);
		break;
	case MSG_auth_enlist:
		if (l->trusted)
			return do_enlist(l, f, e);
		break;
	default: break;
	}
	return err_set(e, ERR_PERM, "message type %u is not for this socket", f->type);
}

/* 1 the next request; else the connection is at its end. */
static int next_request(struct auth_link *l, struct ipc_frame *f, struct err *e)
{
	if (l->sc && server_is_stopping(l->sc->server))
		return 0;
	idle(l, true);
	int rc = ipc_recv(l->conn, f, fiber_deadline(IDLE_MS), e);

	idle(l, false);
	return rc;
}

void auth_serve_fd(struct auth *a, int fd, const char *cls, struct server_conn *sc)
{
	struct auth_link *l = mem_alloc(sizeof(*l));
	struct ipc_frame f;
	struct err e = ERR_INIT;

	l->auth = a;
	l->sc = sc;
	l->conn = ipc_conn_new(fd);
	l->trusted = strcmp(cls, "queue") == 0;
	arena_init(&l->arena, REQUEST_MAX);
	arena_init(&l->ticket.arena, REQUEST_MAX);
	while (next_request(l, &f, &e) == 1) {
		arena_reset(&l->arena);
		e = (struct err)ERR_INIT;
		if (f.protocol != MSG_auth_PROTOCOL)
			err_set(&e, ERR_PERM, "protocol %u is not spoken here", f.protocol);
		else if (dispatch(l, &f, &e) >= 0)
			continue;
		if (e.cls != ERR_NONE)
			log_warn("connection closed: %s", e.text);
		break;
	}
	ipc_conn_free(l->conn);
	arena_free(&l->arena);
	arena_free(&l->ticket.arena);
	explicit_bzero(&l->ticket, sizeof(l->ticket));
	free(l);
}

void auth_serve(struct server_conn *c)
{
	auth_serve_fd(c->state, c->fd, c->listener, c);
}
