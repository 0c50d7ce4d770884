#include "bounce/bounce.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#define IDLE_MS  (1000 * 1000)
#define WRITE_MS (30 * 1000)

struct append_job {
	struct bounce *b;
	const struct msg_bounce_append *m;
	enum queue_name log;
	struct bounce_entry *entries;
	int rc;
	struct err e;
};

static bool log_by_name(struct sv name, enum queue_name *out)
{
	return queue_dir_by_name(name, out) == 1 &&
	       (*out == QUEUE_DIR_BOUNCE || *out == QUEUE_DIR_DEFER || *out == QUEUE_DIR_TRACE);
}

static void append(void *rec)
{
	struct append_job *j = rec;
	j->rc = bounce_log_append(
	        &j->b->q, j->log, j->m->queue_id, j->entries, j->m->offsets.n, &j->e);
}

static int answer_append(
        struct bounce *b, const struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_bounce_append m;
	struct append_job j = { .b = b, .m = &m };
	if (msg_bounce_append_from(f, a, &m, e) != 1)
		return -1;
	size_t n = m.offsets.n;
	if (m.recipients.n != n || m.originals.n != n || m.orcpts.n != n || m.notifies.n != n ||
	        m.actions.n != n || m.dsns.n != n || m.texts.n != n || m.remote_mtas.n != n ||
	        m.diagnostics.n != n)
		return err_set(e, ERR_TEMP, "lists of different lengths");
	if (!log_by_name(m.log, &j.log))
		return err_set(e, ERR_TEMP, "\"%.*s\" is no log", SV_ARG(m.log));
	j.entries = arena_array(a, n + 1, sizeof(*j.entries));
	if (!j.entries)
		return err_set(e, ERR_TEMP, "too many recipients in one request");
	for (size_t i = 0; i < n; i++)
		j.entries[i] = (struct bounce_entry){ .recipient = m.recipients.v[i],
			.original = m.originals.v[i],
			.orcpt = m.orcpts.v[i],
			.action = m.actions.v[i],
			.dsn = m.dsns.v[i],
			.remote_mta = m.remote_mtas.v[i],
			.diagnostic = m.diagnostics.v[i],
			.text = m.texts.v[i],
			.nonce = m.nonce,
			.offset = m.offsets.v[i],
			.time_s = m.time_s,
			.notify = m.notifies.v[i] };
	fiber_offload(FIBER_POOL_DURABLE, append, &j);
	if (j.rc < 0)
		*e = j.e;
	return j.rc < 0 ? -1 : 1;
}

struct forget_job {
	struct bounce *b;
	enum queue_name log;
	struct sv id;
	int rc;
	struct err e;
};

static void forget(void *rec)
{
	struct forget_job *j = rec;
	j->rc = queue_remove(&j->b->q, j->log, j->id, &j->e);
}

static int answer_forget(
        struct bounce *b, const struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_bounce_forget m;
	struct forget_job j = { .b = b };
	if (msg_bounce_forget_from(f, a, &m, e) != 1)
		return -1;
	j.id = m.queue_id;
	if (!log_by_name(m.log, &j.log) || !queue_id_valid(m.queue_id))
		return err_set(e, ERR_TEMP, "no such log");
	fiber_offload(FIBER_POOL_DURABLE, forget, &j);
	if (j.rc < 0)
		*e = j.e;
	return j.rc < 0 ? -1 : 1;
}

static int answer_flush(struct bounce *b, struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_bounce_flush m;
	if (msg_bounce_flush_from(f, a, &m, e) != 1)
		return -1;
	if (!queue_id_valid(m.queue_id))
		return err_set(e, ERR_TEMP, "no valid queue id");
	int fd = ipc_take_fd(f, 0);
	if (fd < 0)
		return err_set(e, ERR_TEMP, "no queue file with the request");
	int rc = bounce_flush(b, &m, fd, a, e);
	sys_close(fd);
	return rc;
}

static int answer(struct bounce *b, struct ipc_frame *f, struct arena *a, struct err *e)
{
	if (f->protocol == MSG_bounce_PROTOCOL)
		switch (f->type) {
		case MSG_bounce_append: return answer_append(b, f, a, e);
		case MSG_bounce_flush: return answer_flush(b, f, a, e);
		case MSG_bounce_forget: return answer_forget(b, f, a, e);
		default: break;
		}
	return err_set(
	        e, ERR_TEMP, "request %u of protocol %u is not for bounce", f->type, f->protocol);
}

void bounce_serve(struct server_conn *c)
{
	struct bounce *b = c->state;
	struct ipc_conn *conn = ipc_conn_new(c->fd);
	struct ipc_frame f;
	struct err e = ERR_INIT;

	while (!server_is_stopping(c->server)) {
		server_conn_idle(c, true);
		int rc = ipc_recv(conn, &f, fiber_deadline(IDLE_MS), &e);
		server_conn_idle(c, false);
		if (rc != 1)
			break;
		e = (struct err)ERR_INIT;
		rc = answer(b, &f, c->arena, &e);
		if (rc != 1)
			log_warn("%s: %s", c->service, e.text);
		const struct msg_bounce_outcome m = { .ok = rc == 1,
			.text = sv_z(rc == 1 ? "" : e.text) };
		if (msg_bounce_outcome_send(
		            conn, &m, f.request_id, NULL, 0, fiber_deadline(WRITE_MS), &e) != 1)
			break;
		arena_reset(c->arena);
	}
	ipc_conn_free(conn);
}
