#include "trivial-rewrite/rewrite_serve.h"

#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"
#include "lib/mail/addr.h"
#include "lib/sys/log.h"

#define IDLE_MS \
	(1000 * 1000) /* a client that asks nothing for so long is cut off and comes again */
#define WRITE_MS (30 * 1000)

static int answer_rewrite(struct resolve_tables *t, const struct ipc_frame *f, struct arena *a,
        struct buf *body, struct err *e)
{
	struct msg_rewrite_rewrite q;
	struct msg_rewrite_rewritten m = { .ok = true };
	struct buf one;

	if (msg_rewrite_rewrite_from(f, a, &q, e) != 1)
		return -1;
	if (q.addresses.n > REWRITE_BATCH_MAX)
		return err_set(e, ERR_TEMP, "%zu addresses in one question", q.addresses.n);
	const struct rewrite_context *ctx =
	        sv_eqz(q.context, "remote") ? &t->remote : &t->rules.local;
	m.addresses.n = q.addresses.n;
	m.addresses.v = arena_array(a, q.addresses.n + 1, sizeof(struct sv));
	if (!m.addresses.v)
		return err_set(e, ERR_TEMP, "no memory left for this question");
	buf_init(&one, 2 * ADDR_MAX);
	for (size_t i = 0; i < q.addresses.n; i++) {
		buf_reset(&one);
		/* what does not fit stays as it is: the resolver refuses it */
		if (rewrite_addr(&t->rules.rewrite, ctx, q.addresses.v[i], false, &one) < 0)
			m.addresses.v[i] = q.addresses.v[i];
		else
			m.addresses.v[i] = arena_sv(a, buf_sv(&one));
	}
	buf_free(&one);
	return msg_rewrite_rewritten_encode(&m, body) < 0 ? err_set(e, ERR_TEMP, "answer too large")
	                                                  : 1;
}

static int answer_resolve(struct resolve_tables *t, const struct ipc_frame *f, struct arena *a,
        struct buf *body, struct err *e)
{
	struct msg_rewrite_resolve q;
	struct msg_rewrite_resolved m = { .error = SV_NONE };

	if (msg_rewrite_resolve_from(f, a, &q, e) != 1)
		return -1;
	size_t n = q.addresses.n;
	if (n > REWRITE_BATCH_MAX)
		return err_set(e, ERR_TEMP, "%zu addresses in one question", n);
	m.transports = (struct sv_list){ arena_array(a, n + 1, sizeof(struct sv)), n };
	m.nexthops = (struct sv_list){ arena_array(a, n + 1, sizeof(struct sv)), n };
	m.recipients = (struct sv_list){ arena_array(a, n + 1, sizeof(struct sv)), n };
	m.flags = (struct u32_list){ arena_array(a, n + 1, sizeof(uint32_t)), n };
	m.classes = (struct u32_list){ arena_array(a, n + 1, sizeof(uint32_t)), n };
	if (!m.transports.v || !m.nexthops.v || !m.recipients.v || !m.flags.v || !m.classes.v)
		return err_set(e, ERR_TEMP, "no memory left for this question");
	for (size_t i = 0; i < n; i++) {
		struct clnt_resolved r;
		struct err why = ERR_INIT;
		if (resolve_addr(&t->rules, q.sender, q.addresses.v[i], a, &r, &why) < 0) {
			log_warn("cannot resolve <%.*s>: %s", SV_ARG(q.addresses.v[i]), why.text);
			r = (struct clnt_resolved){ SV_NONE, SV_NONE, q.addresses.v[i],
				REWRITE_TEMP, REWRITE_CLASS_DEFAULT };
			if (m.error.len == 0)
				m.error = arena_sv(a, sv_z(why.text));
		}
		m.transports.v[i] = r.transport;
		m.nexthops.v[i] = r.nexthop;
		m.recipients.v[i] = r.recipient;
		m.flags.v[i] = r.flags;
		m.classes.v[i] = r.cls;
	}
	return msg_rewrite_resolved_encode(&m, body) < 0 ? err_set(e, ERR_TEMP, "answer too large")
	                                                 : 1;
}

int rewrite_answer(struct resolve_tables *t, const struct ipc_frame *f, struct arena *a,
        uint16_t *type, struct buf *body, struct err *e)
{
	if (f->protocol == MSG_rewrite_PROTOCOL && f->type == MSG_rewrite_rewrite) {
		*type = MSG_rewrite_rewritten;
		return answer_rewrite(t, f, a, body, e);
	}
	if (f->protocol == MSG_rewrite_PROTOCOL && f->type == MSG_rewrite_resolve) {
		*type = MSG_rewrite_resolved;
		return answer_resolve(t, f, a, body, e);
	}
	return err_set(e, ERR_TEMP, "unknown request %u of protocol %u", f->type, f->protocol);
}

void rewrite_serve(struct server_conn *c)
{
	struct resolve_tables *t = c->state;
	struct ipc_conn *conn = ipc_conn_new(c->fd);
	struct buf body;
	struct err e = ERR_INIT;
	int rc;

	buf_init(&body, IPC_FRAME_MAX);
	while (!server_is_stopping(c->server)) {
		struct ipc_frame f;
		uint16_t type = 0;
		arena_reset(c->arena);
		buf_reset(&body);
		server_conn_idle(c, true);
		rc = ipc_recv(conn, &f, fiber_deadline(IDLE_MS), &e);
		server_conn_idle(c, false);
		if (rc != 1)
			break;
		rc = rewrite_answer(t, &f, c->arena, &type, &body, &e);
		if (rc == 1)
			rc = ipc_send(conn, MSG_rewrite_PROTOCOL, MSG_rewrite_VERSION, type,
			        f.request_id, buf_sv(&body), NULL, 0, fiber_deadline(WRITE_MS), &e);
		if (rc != 1) {
			log_warn("client of %s: %s", c->service, e.text);
			break;
		}
	}
	buf_free(&body);
	ipc_conn_free(conn);
}
