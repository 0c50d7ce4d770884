#include "lib/clnt/clnt_bounce.h"

#include "lib/base/arena.h"
#include "lib/ipc/msg.h"

/* Append in parts: one frame holds this many recipients at most, whatever their texts are. */
#define APPEND_BATCH 64
#define FIELD_MAX    2000

static int take_outcome(const struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_bounce_outcome m;
	if (f->protocol != MSG_bounce_PROTOCOL || f->type != MSG_bounce_outcome)
		return err_set(e, ERR_TEMP, "bounce: unexpected answer %u", f->type);
	if (msg_bounce_outcome_decode(f->body, a, &m, e) != 1)
		return -1;
	if (!m.ok)
		return err_set(e, ERR_TEMP, "bounce: %.*s", SV_ARG(m.text));
	return 1;
}

static int call(
        struct ipc_pool *pool, uint16_t type, struct buf *body, int64_t deadline, struct err *e)
{
	struct ipc_frame reply;
	struct arena a;
	arena_init(&a, 64 * 1024);
	int rc = ipc_call(pool, MSG_bounce_PROTOCOL, MSG_bounce_VERSION, type, buf_sv(body), &a,
	        &reply, deadline, e);
	if (rc == 1)
		rc = take_outcome(&reply, &a, e);
	arena_free(&a);
	return rc == 1 ? 1 : -1;
}

/* The parallel lists of one append. */
struct columns {
	uint64_t offsets[APPEND_BATCH];
	uint32_t notifies[APPEND_BATCH];
	struct sv recipients[APPEND_BATCH], originals[APPEND_BATCH], orcpts[APPEND_BATCH],
	        actions[APPEND_BATCH], dsns[APPEND_BATCH], texts[APPEND_BATCH],
	        remote_mtas[APPEND_BATCH], diagnostics[APPEND_BATCH];
};

static void fill(struct columns *c, struct msg_bounce_append *m,
        const struct clnt_bounce_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		c->offsets[i] = items[i].offset;
		c->notifies[i] = items[i].notify;
		c->recipients[i] = sv_upto(items[i].recipient, FIELD_MAX);
		c->originals[i] = sv_upto(items[i].original, FIELD_MAX);
		c->orcpts[i] = sv_upto(items[i].orcpt, FIELD_MAX);
		c->actions[i] = items[i].action;
		c->dsns[i] = items[i].dsn;
		c->texts[i] = sv_upto(items[i].text, FIELD_MAX);
		c->remote_mtas[i] = sv_upto(items[i].remote_mta, FIELD_MAX);
		c->diagnostics[i] = sv_upto(items[i].diagnostic, FIELD_MAX);
	}
	m->offsets = (struct u64_list){ c->offsets, n };
	m->notifies = (struct u32_list){ c->notifies, n };
	m->recipients = (struct sv_list){ c->recipients, n };
	m->originals = (struct sv_list){ c->originals, n };
	m->orcpts = (struct sv_list){ c->orcpts, n };
	m->actions = (struct sv_list){ c->actions, n };
	m->dsns = (struct sv_list){ c->dsns, n };
	m->texts = (struct sv_list){ c->texts, n };
	m->remote_mtas = (struct sv_list){ c->remote_mtas, n };
	m->diagnostics = (struct sv_list){ c->diagnostics, n };
}

int clnt_bounce_append(struct ipc_pool *pool, const char *log, struct sv queue_id, uint64_t nonce,
        const struct clnt_bounce_item *items, size_t n, int64_t time_s, int64_t deadline,
        struct err *e)
{
	struct columns *c = mem_alloc(sizeof(*c));
	struct buf body;
	int rc = 1;

	buf_init(&body, IPC_FRAME_MAX);
	for (size_t at = 0; at < n && rc == 1; at += APPEND_BATCH) {
		struct msg_bounce_append m = {
			.log = sv_z(log), .queue_id = queue_id, .nonce = nonce, .time_s = time_s
		};
		buf_reset(&body);
		fill(c, &m, items + at, n - at < APPEND_BATCH ? n - at : APPEND_BATCH);
		if (msg_bounce_append_encode(&m, &body) < 0)
			rc = err_set(e, ERR_BUG, "bounce: request too large");
		else
			rc = call(pool, MSG_bounce_append, &body, deadline, e);
	}
	buf_free(&body);
	free(c);
	return rc;
}

/* One dialogue with the queue file beside the request. *FRESH: nothing came back at all, so that a
 * connection which its service had closed meanwhile may be the reason. */
static int flush_once(struct ipc_pool *pool, struct buf *body, int queue_fd, int64_t deadline,
        bool *silent, struct err *e)
{
	struct ipc_frame reply;
	struct arena a;
	struct ipc_conn *c = ipc_pool_get(pool, deadline, e);
	*silent = false;
	if (!c)
		return -1;
	*silent = true;
	int rc = ipc_send(c, MSG_bounce_PROTOCOL, MSG_bounce_VERSION, MSG_bounce_flush, 1,
	        buf_sv(body), &queue_fd, 1, deadline, e);
	if (rc == 1) {
		rc = ipc_recv(c, &reply, deadline, e);
		if (rc == 0)
			err_set(e, ERR_TEMP, "bounce: connection ended without an answer");
	}
	if (rc == 1) {
		*silent = false;
		arena_init(&a, 64 * 1024);
		rc = take_outcome(&reply, &a, e);
		arena_free(&a);
		ipc_pool_put(pool, c, true);
		return rc;
	}
	ipc_pool_put(pool, c, false);
	return -1;
}

int clnt_bounce_flush(struct ipc_pool *pool, const char *kind, const struct clnt_bounce_mail *m,
        int queue_fd, int64_t deadline, struct err *e)
{
	struct msg_bounce_flush f = { .kind = sv_z(kind),
		.queue_id = m->queue_id,
		.nonce = m->nonce,
		.sender = m->sender,
		.envid = m->envid,
		.ret = m->ret,
		.smtputf8 = m->smtputf8,
		.body_type = m->body_type,
		.content_offset = m->content_offset,
		.content_size = m->content_size,
		.arrival_us = m->arrival_us };
	struct buf body;
	bool silent;
	int rc;

	buf_init(&body, IPC_FRAME_MAX);
	if (msg_bounce_flush_encode(&f, &body) < 0) {
		rc = err_set(e, ERR_BUG, "bounce: request too large");
	} else {
		rc = flush_once(pool, &body, queue_fd, deadline, &silent, e);
		if (rc < 0 && silent)
			rc = flush_once(pool, &body, queue_fd, deadline, &silent, e);
	}
	buf_free(&body);
	return rc;
}

int clnt_bounce_forget(
        struct ipc_pool *pool, const char *log, struct sv queue_id, int64_t deadline, struct err *e)
{
	struct msg_bounce_forget m = { .log = sv_z(log), .queue_id = queue_id };
	struct buf body;
	int rc;

	buf_init(&body, IPC_FRAME_MAX);
	if (msg_bounce_forget_encode(&m, &body) < 0)
		rc = err_set(e, ERR_BUG, "bounce: request too large");
	else
		rc = call(pool, MSG_bounce_forget, &body, deadline, e);
	buf_free(&body);
	return rc;
}
