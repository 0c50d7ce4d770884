/*
 * cleanup/cleanup_serve.c - the dialogue with a client: open -> opened; rcpt, data ...; end -> result; again.
 *
 *   IDLE --open--> OPEN --rcpt|data--> OPEN --end--> IDLE      anything else, or a broken frame: close
 *
 * Closing (by either side) in OPEN aborts: cleanup_mail_reset() removes what was written.
 */
#include "cleanup/cleanup.h"
#include "lib/fiber/fiber.h"
#include "lib/server/server.h"
#include "lib/sys/log.h"

struct dialogue {
	struct server_conn *sc;
	struct cleanup *c;
	struct ipc_conn *conn;
	struct arena frame_arena;
	struct cleanup_mail mail;
	bool open;
	int64_t step_ms; /* how long a client may take for a step */
};

static int64_t deadline_of(const struct dialogue *d)
{
	return fiber_deadline(d->step_ms);
}

static int reply_opened(struct dialogue *d, bool ok, struct sv text, struct err *e)
{
	struct msg_cleanup_opened r = { .ok = ok, .queue_id = sv_z(ok ? d->mail.w.h.id : ""),
		.dsn = sv_z(ok ? "2.0.0" : "4.3.0"), .text = text };
	return msg_cleanup_opened_send(d->conn, &r, 0, NULL, 0, deadline_of(d), e);
}

static int on_open(struct dialogue *d, const struct ipc_frame *f, struct err *e)
{
	struct msg_cleanup_open o;
	if (msg_cleanup_open_from(f, &d->frame_arena, &o, e) != 1)
		return -1;
	bool privileged = strcmp(d->sc->listener, "queue") == 0;
	bool resubmit = privileged && (o.flags & CLEANUP_FLAG_RESUBMIT);
	int64_t delay_ms = d->c->p.in_flow_delay * 1000;
	if (!resubmit && delay_ms > 0)
		(void)clnt_qmgr_credit(d->c->qmgr, delay_ms, NULL); /* no credit, no qmgr: go on */
	struct err why = ERR_INIT;
	if (cleanup_mail_open(&d->mail, &o, privileged, &why) < 0) {
		log_warn("%s", why.text);
		return reply_opened(d, false, sv_z(why.text), e);
	}
	d->open = true;
	return reply_opened(d, true, SV_NONE, e);
}

static int reply_result(struct dialogue *d, struct err *e)
{
	const struct cleanup_mail *m = &d->mail;
	struct msg_cleanup_result r = { .status = m->verdict.status, .smtp_code = m->verdict.code,
		.dsn = sv_z(m->verdict.dsn), .text = m->verdict.text, .queue_id = sv_z(m->w.h.id) };
	return msg_cleanup_result_send(d->conn, &r, 0, NULL, 0, deadline_of(d), e);
}

static int on_end(struct dialogue *d, struct err *e)
{
	cleanup_mail_end(&d->mail);
	bool committed = d->mail.verdict.status == CLEANUP_COMMITTED;
	int rc = reply_result(d, e);
	if (committed)
		(void)clnt_qmgr_arrived(d->c->qmgr, sv_z(d->mail.w.h.id), NULL); /* else its scan finds it */
	cleanup_mail_reset(&d->mail);
	d->open = false;
	return rc;
}

static int on_frame(struct dialogue *d, const struct ipc_frame *f, struct err *e)
{
	struct msg_cleanup_rcpt rcpt;
	struct msg_cleanup_data data;
	arena_reset(&d->frame_arena);
	if (f->protocol != MSG_cleanup_PROTOCOL || d->open == (f->type == MSG_cleanup_open))
		return err_set(e, ERR_TEMP, "message %u of protocol %u is not expected here", f->type,
			f->protocol);
	switch (f->type) {
	case MSG_cleanup_open: return on_open(d, f, e);
	case MSG_cleanup_rcpt:
		if (msg_cleanup_rcpt_from(f, &d->frame_arena, &rcpt, e) != 1)
			return -1;
		cleanup_mail_rcpt(&d->mail, &rcpt);
		return 1;
	case MSG_cleanup_data:
		if (msg_cleanup_data_from(f, &d->frame_arena, &data, e) != 1)
			return -1;
		cleanup_content(&d->mail, data.octets);
		return 1;
	case MSG_cleanup_end: return on_end(d, e);
	default: return err_set(e, ERR_TEMP, "message %u is unknown", f->type);
	}
}

void cleanup_serve(struct server_conn *sc)
{
	struct cleanup *c = server_state(sc->server);
	struct dialogue d = { .sc = sc, .c = c, .conn = ipc_conn_new(sc->fd),
		.step_ms = c->core.ipc_timeout * 1000 };
	struct err e = ERR_INIT;
	int rc = 1;
	arena_init(&d.frame_arena, 4 * 1024 * 1024);
	cleanup_mail_init(&d.mail, c);
	while (rc == 1 && (d.open || !server_is_stopping(sc->server))) {
		struct ipc_frame f;
		server_conn_idle(sc, !d.open);
		rc = ipc_recv(d.conn, &f, deadline_of(&d), &e);
		server_conn_idle(sc, false);
		if (rc == 1)
			rc = on_frame(&d, &f, &e);
	}
	if (rc < 0 && d.open)
		log_warn("%s%sconnection with a client ended: %s", d.open ? d.mail.w.h.id : "",
			d.open ? ": " : "", e.text);
	cleanup_mail_reset(&d.mail);
	arena_free(&d.frame_arena);
	ipc_conn_free(d.conn);
}
