#include "lib/clnt/clnt_auth.h"

#include "lib/ipc/msg.h"

#define REPLY_ARENA_MAX (64 * 1024)

/* How auth's three-valued answers are encoded. */
enum { ANSWER_NO = 0, ANSWER_YES = 1, ANSWER_TROUBLE = 2 };

/* The status of an answer as this file's callers want it: 1, 0, -1 with the text of auth in E. */
static int answer(uint32_t status, struct sv text, struct err *e)
{
	switch (status) {
	case ANSWER_NO: return 0;
	case ANSWER_YES: return 1;
	default: return err_set(e, ERR_TEMP, "auth: %.*s", SV_ARG(text));
	}
}

static int unexpected(const struct ipc_frame *f, struct err *e)
{
	return err_set(e, ERR_BUG, "auth: unexpected message type %u", f->type);
}

int clnt_auth_exists(struct ipc_pool *auth, struct sv name, int64_t deadline, struct err *e)
{
	struct msg_auth_exists q = { .name = name };
	struct msg_auth_existence r;
	struct ipc_frame f;
	struct buf body;
	struct arena a;
	int rc = -1;

	arena_init(&a, REPLY_ARENA_MAX);
	buf_init(&body, IPC_FRAME_MAX);
	if (msg_auth_exists_encode(&q, &body) < 0)
		err_set(e, ERR_TEMP, "auth: name too long to ask about");
	else if (ipc_call(auth, MSG_auth_PROTOCOL, MSG_auth_VERSION, MSG_auth_exists, buf_sv(&body),
	                 &a, &f, deadline, e) < 0)
		rc = -1;
	else if (f.type != MSG_auth_existence)
		rc = unexpected(&f, e);
	else if (msg_auth_existence_decode(f.body, &a, &r, e) >= 0)
		rc = answer(r.status, r.error, e);
	buf_free(&body);
	arena_free(&a);
	return rc;
}

int clnt_auth_who(struct ipc_pool *auth, struct sv name, struct arena *a,
        struct clnt_auth_identity *out, int64_t deadline, struct err *e)
{
	struct msg_auth_who q = { .kind = SV("user"), .name = name };
	struct msg_auth_identity r;
	struct ipc_frame f;
	struct buf body;
	int rc = -1;

	buf_init(&body, IPC_FRAME_MAX);
	if (msg_auth_who_encode(&q, &body) < 0)
		err_set(e, ERR_TEMP, "auth: name too long to ask about");
	else if (ipc_call(auth, MSG_auth_PROTOCOL, MSG_auth_VERSION, MSG_auth_who, buf_sv(&body), a,
	                 &f, deadline, e) < 0)
		rc = -1;
	else if (f.type != MSG_auth_identity)
		rc = unexpected(&f, e);
	else if (msg_auth_identity_decode(f.body, a, &r, e) >= 0)
		rc = answer(r.status, r.error, e);
	buf_free(&body);
	if (rc == 1)
		*out = (struct clnt_auth_identity){
			.name = r.name, .uid = r.uid, .gid = r.gid, .home = r.home, .mail = r.mail,
			.shell = r.shell
		};
	return rc;
}

int clnt_auth_sign_in(struct ipc_conn *c, const struct clnt_auth_attempt *what, struct arena *a,
        struct clnt_auth_verdict *out, int64_t deadline, struct err *e)
{
	struct msg_auth_sign_in q = {
		.service = what->service,
		.mechanism = SV("PLAIN"),
		.user = what->user,
		.password = what->password,
		.remote_addr = what->remote_addr,
		.local_addr = what->local_addr,
		.secured = what->secured,
	};
	struct msg_auth_verdict r;
	struct ipc_frame f;
	struct buf body;
	int rc;

	/* room for everything at once: growing would leave a copy of the password behind */
	buf_init(&body, IPC_FRAME_MAX);
	if (!buf_room(&body, what->user.len + what->password.len + 1024)) {
		buf_free(&body);
		return err_set(e, ERR_TEMP, "auth: credentials too long");
	}
	rc = msg_auth_sign_in_encode(&q, &body);
	if (rc < 0)
		err_set(e, ERR_TEMP, "auth: credentials too long");
	else
		rc = ipc_send(c, MSG_auth_PROTOCOL, MSG_auth_VERSION, MSG_auth_sign_in, 1,
		        buf_sv(&body), NULL, 0, deadline, e);
	explicit_bzero(body.p, body.cap);
	buf_free(&body);
	if (rc < 0)
		return -1;
	rc = ipc_recv(c, &f, deadline, e);
	if (rc == 0)
		return err_set(e, ERR_TEMP, "auth: connection closed");
	if (rc < 0)
		return -1;
	if (f.type != MSG_auth_verdict)
		return unexpected(&f, e);
	if (msg_auth_verdict_decode(f.body, a, &r, e) < 0)
		return -1;
	*out = (struct clnt_auth_verdict){
		.user = arena_sv(a, r.user),
		.token = arena_sv(a, r.token),
		.text = arena_sv(a, r.text),
	};
	if (a->exhausted)
		return err_set(e, ERR_TEMP, "auth: answer too large");
	return answer(r.status, r.text, e);
}

/* The answer to hand_over and assign. 1, or -1. */
static int await_handed(struct ipc_conn *c, int64_t deadline, struct err *e)
{
	struct msg_auth_handed r;
	struct ipc_frame f;
	struct arena a;
	int rc = ipc_recv(c, &f, deadline, e);
	if (rc == 0)
		return err_set(e, ERR_TEMP, "auth: connection closed");
	if (rc < 0)
		return -1;
	if (f.type != MSG_auth_handed)
		return unexpected(&f, e);
	arena_init(&a, REPLY_ARENA_MAX);
	rc = msg_auth_handed_decode(f.body, &a, &r, e);
	if (rc >= 0)
		rc = r.ok ? 1 : err_set(e, ERR_TEMP, "auth: %.*s", SV_ARG(r.error));
	arena_free(&a);
	return rc;
}

int clnt_auth_hand_over(struct ipc_conn *c, const struct clnt_auth_hand_over *what, int client_fd,
        int64_t deadline, struct err *e)
{
	struct msg_auth_hand_over q = {
		.token = what->token,
		.service = what->service,
		.input = what->input,
		.tag = what->tag,
		.remote_addr = what->remote_addr,
		.local_addr = what->local_addr,
		.session = what->session,
	};

	if (msg_auth_hand_over_send(c, &q, 2, &client_fd, 1, deadline, e) < 0)
		return -1;
	return await_handed(c, deadline, e);
}

int clnt_auth_assign(struct ipc_conn *c, const char *service, const struct clnt_auth_whose *whose,
        struct sv session, int service_fd, int64_t deadline, struct err *e)
{
	struct msg_auth_assign q = {
		.service = sv_z(service),
		.kind = sv_z(whose->kind),
		.name = whose->name,
		.session = session,
	};
	int fds[] = { service_fd, whose->fd };

	if (msg_auth_assign_send(c, &q, 3, fds, whose->fd >= 0 ? 2 : 1, deadline, e) < 0)
		return -1;
	return await_handed(c, deadline, e);
}

int clnt_auth_enlist(
        struct ipc_conn *c, struct sv service, uint32_t room, int64_t deadline, struct err *e)
{
	struct msg_auth_enlist m = { .service = service, .room = room };

	return msg_auth_enlist_send(c, &m, 0, NULL, 0, deadline, e) < 0 ? -1 : 1;
}

int clnt_auth_room(struct ipc_conn *c, uint32_t freed, int64_t deadline, struct err *e)
{
	struct msg_auth_room m = { .room = freed };

	return msg_auth_room_send(c, &m, 0, NULL, 0, deadline, e) < 0 ? -1 : 1;
}

int clnt_auth_become(struct ipc_conn *c, struct arena *a, struct clnt_auth_identity *out,
        int64_t deadline, struct err *e)
{
	struct msg_auth_become m;
	struct ipc_frame f;
	int rc = ipc_recv(c, &f, deadline, e);

	if (rc <= 0)
		return rc;
	if (f.type != MSG_auth_become)
		return unexpected(&f, e);
	if (msg_auth_become_decode(f.body, a, &m, e) < 0)
		return -1;
	/* the frame dies with the next receive: keep copies */
	*out = (struct clnt_auth_identity){
		.name = arena_sv(a, m.user),
		.uid = m.uid,
		.gid = m.gid,
		.home = arena_sv(a, m.home),
		.mail = arena_sv(a, m.mail),
		.groups = m.groups,
	};
	return a->exhausted ? err_set(e, ERR_TEMP, "auth: assignment too large") : 1;
}

int clnt_auth_became(struct ipc_conn *c, const char *why, int64_t deadline, struct err *e)
{
	struct msg_auth_became m = { .ok = !why, .error = sv_z(why ? why : "") };

	return msg_auth_became_send(c, &m, 0, NULL, 0, deadline, e) < 0 ? -1 : 1;
}

int clnt_auth_session(struct ipc_conn *c, struct arena *a, struct clnt_auth_session *out,
        int64_t deadline, struct err *e)
{
	struct msg_auth_session m;
	struct ipc_frame f;
	int rc = ipc_recv(c, &f, deadline, e);

	if (rc <= 0)
		return rc;
	if (f.type != MSG_auth_session)
		return unexpected(&f, e);
	if (msg_auth_session_decode(f.body, a, &m, e) < 0)
		return -1;
	/* the frame dies with the next receive: keep copies */
	*out = (struct clnt_auth_session){
		.who = { .name = arena_sv(a, m.user),
		        .uid = m.uid,
		        .gid = m.gid,
		        .home = arena_sv(a, m.home),
		        .mail = arena_sv(a, m.mail) },
		.input = arena_sv(a, m.input),
		.tag = arena_sv(a, m.tag),
		.remote_addr = arena_sv(a, m.remote_addr),
		.local_addr = arena_sv(a, m.local_addr),
		.session = arena_sv(a, m.session),
	};
	if (a->exhausted)
		return err_set(e, ERR_TEMP, "auth: session message too large");
	out->fd = ipc_take_fd(&f, 0);
	if (out->fd < 0)
		return err_set(e, ERR_BUG, "auth: session without a descriptor");
	return 1;
}
