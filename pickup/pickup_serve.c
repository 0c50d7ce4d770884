/*
 * pickup/pickup_serve.c - public/submit: a local user's program hands over a mail; public/pickup: a
 * connection alone means "look into maildrop/".
 */

#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"
#include "lib/server/server.h"
#include "lib/sys/log.h"
#include "pickup/pickup.h"

enum { STEP_MS = 300 * 1000 };

enum { STATUS_OK = 0, STATUS_TEMP = 1, STATUS_PERM = 2 };

struct submission {
	struct pickup *p;
	struct ipc_conn *conn;
	uid_t uid;
	struct pickup_mail mail;
	bool begun;
	struct msg_submit_result verdict; /* .status not 0: decided before the end came */
	char text[ERR_TEXT_MAX];
};

static void decide(struct submission *s, uint32_t status, const char *dsn, const char *text)
{
	snprintf(s->text, sizeof(s->text), "%s", text);
	s->verdict = (struct msg_submit_result){ .status = status, .dsn = sv_z(dsn), .text = sv_z(s->text) };
}

static void decide_failure(struct submission *s, const struct err *e)
{
	if (s->mail.malformed) {
		log_warn("submission: uid=%u, malformed: %s", (unsigned)s->uid, s->mail.why);
		decide(s, STATUS_PERM, "5.6.0", s->mail.why);
	} else {
		log_warn("submission: uid=%u, %s", (unsigned)s->uid, e->text);
		decide(s, STATUS_TEMP, "4.3.0", e->text);
	}
}

/* authorized_submit_users. */
static void check_user(struct submission *s)
{
	struct err e = ERR_INIT;
	char name[USERLIST_NAME_MAX];
	int rc = userlist_allows(s->p->submit_users, s->uid, name, &e);
	if (rc == 0) {
		log_warn("submission: uid=%u, user %s is not in authorized_submit_users", (unsigned)s->uid, name);
		decide(s, STATUS_PERM, "5.7.1", "you are not allowed to submit mail");
	} else if (rc < 0) {
		decide_failure(s, &e);
	}
}

/* Root's mail in somebody's private instance is the owner's, as a file of postdrop's is: whichever way a mail comes,
 * its Received field is the same, and so is its size, which a delivery of both looks at. */
static int64_t uid_of_mail(const struct submission *s)
{
	return s->uid == 0 && !server_is_system(s->p->server) ? (int64_t)geteuid() : (int64_t)s->uid;
}

static void begin(struct submission *s)
{
	s->begun = true;
	s->verdict = (struct msg_submit_result){ .status = STATUS_OK, .dsn = SV("2.0.0") };
	pickup_mail_init(&s->mail, s->p, uid_of_mail(s));
	check_user(s);
}

static void on_piece(struct submission *s, struct sv octets)
{
	struct err e = ERR_INIT;
	if (s->verdict.status == STATUS_OK && pickup_mail_feed(&s->mail, octets, &e) < 0)
		decide_failure(s, &e);
}

static int on_end(struct submission *s, struct err *e)
{
	struct clnt_cleanup_result r = { .queue_id = "" };
	struct err why = ERR_INIT;
	if (s->verdict.status == STATUS_OK) {
		if (pickup_mail_end(&s->mail, &r, &why) < 0)
			decide_failure(s, &why);
		else
			decide(s, (uint32_t)r.status, r.dsn, r.text);
	}
	s->verdict.queue_id = sv_z(r.queue_id);
	int rc = msg_submit_result_send(s->conn, &s->verdict, 0, NULL, 0, fiber_deadline(STEP_MS), e);
	pickup_mail_fini(&s->mail);
	s->begun = false;
	return rc;
}

static int on_frame(struct submission *s, const struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_submit_piece piece;
	if (f->protocol != MSG_submit_PROTOCOL)
		return err_set(e, ERR_TEMP, "protocol %u is not spoken here", f->protocol);
	if (!s->begun)
		begin(s);
	if (f->type == MSG_submit_end)
		return on_end(s, e);
	if (msg_submit_piece_from(f, a, &piece, e) != 1)
		return -1;
	on_piece(s, piece.octets);
	return 1;
}

/* Too many submissions of one user at a time: say so at once, sendmail takes maildrop/ then. */
static bool enter(struct pickup *p, uid_t uid)
{
	struct sv key = sv_n((const char *)&uid, sizeof(uid));
	struct pickup_uid *u = htab_get(&p->uids, key);
	if (!u) {
		u = mem_alloc(sizeof(*u));
		htab_set(&p->uids, key, u);
	}
	if (u->open >= (unsigned)p->p.submit_uid_concurrency_limit) {
		log_warn("submission: uid=%u, more than submit_uid_concurrency_limit=%d at a time",
			(unsigned)uid, p->p.submit_uid_concurrency_limit);
		return false;
	}
	u->open++;
	return true;
}

static void leave(struct pickup *p, uid_t uid)
{
	struct sv key = sv_n((const char *)&uid, sizeof(uid));
	struct pickup_uid *u = htab_get(&p->uids, key);
	if (u && --u->open == 0)
		free(htab_del(&p->uids, key));
}

static void talk(struct server_conn *sc, struct submission *s)
{
	struct err e = ERR_INIT;
	struct msg_submit_hello hello;
	memset(&hello, 0, sizeof(hello));
	int rc = msg_submit_hello_send(s->conn, &hello, 0, NULL, 0, fiber_deadline(STEP_MS), &e);
	while (rc == 1 && (s->begun || !server_is_stopping(sc->server))) {
		struct ipc_frame f;
		server_conn_idle(sc, !s->begun);
		rc = ipc_recv(s->conn, &f, fiber_deadline(STEP_MS), &e);
		server_conn_idle(sc, false);
		arena_reset(sc->arena);
		if (rc == 1)
			rc = on_frame(s, &f, sc->arena, &e);
	}
	if (rc < 0 && s->begun)
		log_warn("submission: uid=%u, connection ended: %s", (unsigned)s->uid, e.text);
	if (s->begun)
		pickup_mail_fini(&s->mail);
}

void pickup_serve(struct server_conn *sc)
{
	struct pickup *p = server_state(sc->server);
	struct submission s = { .p = p };
	gid_t gid;
	pid_t pid;
	if (strcmp(sc->service, "submit") != 0) {
		fiber_event_set(p->wake);
		fiber_close(sc->fd);
		return;
	}
	s.conn = ipc_conn_new(sc->fd);
	if (ipc_peer(s.conn, &s.uid, &gid, &pid) < 0) {
		log_warn("submission: the peer's uid is unknown");
	} else if (!enter(p, s.uid)) {
		struct err e = ERR_INIT;
		decide(&s, STATUS_TEMP, "4.7.0", "too many submissions of yours at a time");
		if (msg_submit_result_send(s.conn, &s.verdict, 0, NULL, 0, fiber_deadline(1000), &e) < 0)
			log_info("submission: uid %u: %s", (unsigned)s.uid, e.text);
	} else {
		talk(sc, &s);
		leave(p, s.uid);
	}
	ipc_conn_free(s.conn);
}
