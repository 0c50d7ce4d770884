#include "lib/deliver/deliver.h"

#include <errno.h>
#include <sys/socket.h>

#include "lib/deliver/deliver_log.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/ipc.h"
#include "lib/ipc/msg.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#define ANSWER_TIMEOUT_MS (60 * 1000)

struct deliver_state {
	const struct deliver_agent *agent;
	void *ctx;
	struct ipc_conn *conn;
	int done_log; /* -1 until qmgr passed one */
	const char *relay;
	int64_t begin_us, connected_us;
};

static int64_t now_us(void)
{
	struct timespec t = clock_wall();
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void deliver_relay(struct deliver_request *rq, const char *relay)
{
	rq->state->relay = relay;
}

void deliver_begin(struct deliver_request *rq)
{
	rq->state->begin_us = now_us();
	rq->state->connected_us = 0;
}

void deliver_connected(struct deliver_request *rq)
{
	rq->state->connected_us = now_us();
}

bool deliver_awaited(const struct deliver_request *rq)
{
	char octet;
	ssize_t n = recv(ipc_conn_fd(rq->state->conn), &octet, 1, MSG_PEEK | MSG_DONTWAIT);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static enum queue_result result_of(enum deliver_status s)
{
	switch (s) {
	case DELIVER_SENT: return QUEUE_DELIVERED;
	case DELIVER_BOUNCED: return QUEUE_BOUNCED;
	case DELIVER_NONE:
	case DELIVER_DEFERRED: break;
	}
	return QUEUE_DEFERRED;
}

/*
 * Write the result down where a crash of qmgr cannot lose it. When that fails the true result is still
 * told: qmgr marks the recipient in the queue file itself, and to call a delivered mail deferred would
 * deliver it twice for sure.
 */
static void record_result(struct deliver_request *rq, const struct deliver_rcpt *r, int64_t time_us)
{
	if (rq->state->done_log < 0 || (rq->flags & DELIVER_VERIFY_ONLY))
		return;
	char code[DSN_TEXT_MAX];
	struct done_record rec = {
		.id = rq->queue_id,
		.nonce = rq->nonce,
		.offset = r->offset,
		.result = result_of(r->status),
		.action = r->action,
		.time_us = time_us,
		.dsn = sv_z(dsn_format(r->dsn, code)),
		.text = r->text,
	};
	struct err e = ERR_INIT;
	if (done_log_append(rq->state->done_log, &rec, 1, &e) < 0)
		log_warn("%.*s: done-log: %s", SV_ARG(rq->queue_id), e.text);
}

static void finish(struct deliver_request *rq, size_t i, enum deliver_status status,
        struct dsn_code dsn, bool log)
{
	struct deliver_rcpt *r = &rq->rcpts[i];
	static const unsigned classes[] = { [DELIVER_NONE] = 4,
		[DELIVER_SENT] = 2,
		[DELIVER_DEFERRED] = 4,
		[DELIVER_BOUNCED] = 5 };
	r->soft = status == DELIVER_BOUNCED && (rq->flags & DELIVER_SOFT_BOUNCE);
	r->status = status == DELIVER_NONE || r->soft ? DELIVER_DEFERRED : status;
	r->dsn = dsn_with_class(dsn, classes[r->status]);
	struct deliver_times t = {
		.arrival_us = rq->arrival_us,
		.active_us = rq->active_us ? rq->active_us : rq->arrival_us,
		.begin_us = rq->state->begin_us,
		.connected_us = rq->state->connected_us,
		.done_us = now_us(),
	};
	record_result(rq, r, t.done_us);
	if (!log)
		return;
	struct buf line;
	buf_init(&line, 4096);
	deliver_log_line(&line, rq->queue_id, r, rq->state->relay, &t);
	log_info("%s", buf_z(&line));
	buf_free(&line);
}

/* The text of a result is one line. */
static void keep_text(struct deliver_request *rq, struct deliver_rcpt *r, struct buf *text)
{
	for (size_t k = 0; k < text->len; k++)
		if ((unsigned char)text->p[k] < 0x20)
			text->p[k] = ' ';
	struct sv kept = arena_sv(rq->arena, sv_upto(sv_trim(buf_sv(text)), DELIVER_TEXT_MAX));
	r->text = kept.p ? kept : SV("result text lost: out of memory");
}

void deliver_done(struct deliver_request *rq, size_t i, enum deliver_status status,
        struct dsn_code dsn, const char *fmt, ...)
{
	struct deliver_rcpt *r = &rq->rcpts[i];
	if (r->status != DELIVER_NONE)
		return;
	struct buf text;
	buf_init(&text, 4 * DELIVER_TEXT_MAX);
	va_list ap;
	va_start(ap, fmt);
	(void)buf_vprintf(&text, fmt, ap);
	va_end(ap);
	keep_text(rq, r, &text);
	buf_free(&text);
	finish(rq, i, status, dsn, true);
}

void deliver_settled(struct deliver_request *rq, size_t i, const struct deliver_outcome *o)
{
	struct deliver_rcpt *r = &rq->rcpts[i];
	if (r->status != DELIVER_NONE)
		return;
	struct buf text;
	buf_init(&text, sizeof(o->text));
	(void)buf_puts(&text, o->text);
	keep_text(rq, r, &text);
	buf_free(&text);
	finish(rq, i, o->status, o->dsn, !o->logged);
}

void deliver_failed(struct deliver_request *rq, size_t i, struct dsn_code dsn, const char *prefix,
        const struct err *e)
{
	if (e->cls == ERR_CONFIG || e->cls == ERR_BUG)
		log_warn("%.*s: %s: %s", SV_ARG(rq->queue_id), prefix, e->text);
	deliver_done(rq, i, DELIVER_DEFERRED, dsn, "%s: %s", prefix, e->text);
}

/* Parallel lists of a decoded message into rq->rcpts. 0, or -1 with E. */
static int take_rcpts(
        const struct msg_deliver_request *m, struct deliver_request *rq, struct err *e)
{
	size_t n = m->offsets.n;
	if (n == 0 || m->recipients.n != n || (m->originals.n != n && m->originals.n != 0) ||
	        (m->orcpts.n != n && m->orcpts.n != 0) ||
	        (m->notifies.n != n && m->notifies.n != 0))
		return err_set(e, ERR_BUG, "lists of recipients differ in length");
	rq->rcpts = arena_array(rq->arena, n, sizeof(*rq->rcpts));
	if (!rq->rcpts)
		return err_set(e, ERR_TEMP, "too many recipients");
	rq->nrcpts = n;
	for (size_t i = 0; i < n; i++) {
		struct deliver_rcpt *r = &rq->rcpts[i];
		r->offset = m->offsets.v[i];
		r->recipient = m->recipients.v[i];
		r->original = m->originals.n ? m->originals.v[i] : SV_NONE;
		r->orcpt = m->orcpts.n ? m->orcpts.v[i] : SV_NONE;
		r->notify = m->notifies.n ? m->notifies.v[i] : 0;
	}
	return 0;
}

static int take_request(
        const struct msg_deliver_request *m, struct deliver_request *rq, struct err *e)
{
	rq->queue_id = m->queue_id;
	rq->nonce = m->nonce;
	rq->flags = m->flags;
	rq->nexthop = m->nexthop;
	rq->transport = m->transport;
	rq->sender = m->sender;
	rq->arrival_us = m->arrival_us;
	rq->active_us = m->active_us;
	rq->content_offset = m->content_offset;
	rq->content_size = m->content_size;
	rq->crlf_size = m->crlf_size;
	rq->content_flags = m->content_flags;
	rq->envid = m->envid;
	rq->ret = m->ret;
	rq->body_type = m->body_type;
	rq->smtputf8 = m->smtputf8;
	rq->client_name = m->client_name;
	rq->client_addr = m->client_addr;
	rq->helo_name = m->helo_name;
	rq->protocol = m->protocol;
	rq->sasl_username = m->sasl_username;
	return take_rcpts(m, rq, e);
}

static int answer(struct deliver_request *rq, uint32_t request_id, struct err *e)
{
	size_t n = rq->nrcpts;
	struct arena *a = rq->arena;
	struct msg_deliver_results m = {
		.offsets = { arena_array(a, n, sizeof(uint64_t)), n },
		.statuses = { arena_array(a, n, sizeof(uint32_t)), n },
		.dsns = { arena_array(a, n, sizeof(struct sv)), n },
		.texts = { arena_array(a, n, sizeof(struct sv)), n },
		.remote_mtas = { arena_array(a, n, sizeof(struct sv)), n },
		.diagnostics = { arena_array(a, n, sizeof(struct sv)), n },
		.suspend = rq->suspend,
		.actions = { arena_array(a, n, sizeof(uint32_t)), n },
	};
	if (a->exhausted)
		return err_set(e, ERR_TEMP, "too many recipients to answer");
	for (size_t i = 0; i < n; i++) {
		const struct deliver_rcpt *r = &rq->rcpts[i];
		char code[DSN_TEXT_MAX];
		m.offsets.v[i] = r->offset;
		m.statuses.v[i] = result_of(r->status);
		m.actions.v[i] = r->action;
		m.dsns.v[i] = arena_sv(a, sv_z(dsn_format(r->dsn, code)));
		m.texts.v[i] = r->text;
		m.remote_mtas.v[i] = r->remote_mta;
		m.diagnostics.v[i] = r->diagnostic;
	}
	if (a->exhausted)
		return err_set(e, ERR_TEMP, "too many recipients to answer");
	return msg_deliver_results_send(
	        rq->state->conn, &m, request_id, NULL, 0, fiber_deadline(ANSWER_TIMEOUT_MS), e);
}

/* One request, from the frame to the answer. 0, or -1 with E: the connection ends. */
static int serve_one(
        struct deliver_state *st, struct ipc_frame *f, struct arena *arena, struct err *e)
{
	struct msg_deliver_request m;
	if (f->protocol != MSG_deliver_PROTOCOL || f->type != MSG_deliver_request)
		return err_set(e, ERR_BUG, "unexpected message type %u", f->type);
	if (msg_deliver_request_decode(f->body, arena, &m, e) < 0)
		return -1;
	struct deliver_request rq = { .arena = arena, .state = st, .fd = ipc_take_fd(f, 0) };
	int log_fd = ipc_take_fd(f, 1);
	if (log_fd >= 0) {
		if (st->done_log >= 0)
			sys_close(st->done_log);
		st->done_log = log_fd;
	}
	int rc = -1;
	if (rq.fd < 0)
		err_set(e, ERR_BUG, "request without a queue file");
	else if (take_request(&m, &rq, e) == 0) {
		st->relay = st->agent->relay;
		deliver_begin(&rq);
		st->agent->handle(&rq, st->ctx);
		for (size_t i = 0; i < rq.nrcpts; i++)
			if (rq.rcpts[i].status == DELIVER_NONE) {
				log_warn("%.*s: no result for <%.*s>", SV_ARG(rq.queue_id),
				        SV_ARG(rq.rcpts[i].recipient));
				deliver_done(&rq, i, DELIVER_DEFERRED, DSN(4, 3, 0),
				        "internal error: delivery ended without a result");
			}
		rc = answer(&rq, f->request_id, e);
	}
	if (rq.fd >= 0)
		sys_close(rq.fd);
	return rc < 0 ? -1 : 0;
}

/* The next request. As ipc_recv(). */
static int next_request(struct deliver_state *st, struct server_conn *sc, struct ipc_frame *f, struct err *e)
{
	if (sc)
		server_conn_idle(sc, true);
	int rc = ipc_recv(st->conn, f, FIBER_FOREVER, e);
	if (sc)
		server_conn_idle(sc, false);
	return rc;
}

void deliver_connection(int fd, struct arena *arena, const struct deliver_agent *agent, void *ctx,
        struct server_conn *sc)
{
	struct deliver_state st = {
		.agent = agent, .ctx = ctx, .conn = ipc_conn_new(fd), .done_log = -1
	};
	struct ipc_frame f;
	struct err e = ERR_INIT;
	int rc;
	while ((rc = next_request(&st, sc, &f, &e)) == 1) {
		if (serve_one(&st, &f, arena, &e) < 0) {
			rc = -1;
			break;
		}
		arena_reset(arena);
	}
	if (rc < 0 && !fiber_cancelled())
		log_warn("connection of qmgr: %s", e.text);
	if (st.done_log >= 0)
		sys_close(st.done_log);
	ipc_conn_free(st.conn);
}

void deliver_serve(struct server_conn *c, const struct deliver_agent *agent, void *ctx)
{
	deliver_connection(c->fd, c->arena, agent, ctx, c);
}
