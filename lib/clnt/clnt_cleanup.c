#include "lib/clnt/clnt_cleanup.h"

#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"

enum {
	PIECE_MAX = 256 * 1024, /* of one data message (cleanup.def) */
	GATHER = 64 * 1024,     /* small pieces are sent together */
};

struct clnt_cleanup {
	struct ipc_pool *pool;
	int64_t timeout_ms;
	struct ipc_conn *conn; /* while a message is open */
	struct arena arena;    /* texts of the answers */
	struct buf gather;     /* content not yet sent */
	const char *id;
};

struct clnt_cleanup *clnt_cleanup_new(struct ipc_pool *pool, int64_t timeout_ms)
{
	struct clnt_cleanup *c = mem_alloc(sizeof(*c));
	c->pool = pool;
	c->timeout_ms = timeout_ms;
	c->id = "";
	arena_init(&c->arena, 64 * 1024);
	buf_init(&c->gather, GATHER);
	return c;
}

void clnt_cleanup_free(struct clnt_cleanup *c)
{
	if (!c)
		return;
	clnt_cleanup_abort(c);
	arena_free(&c->arena);
	buf_free(&c->gather);
	free(c);
}

/* The transaction is over; the connection can serve the next one when GOOD. */
static void leave(struct clnt_cleanup *c, bool good)
{
	if (c->conn)
		ipc_pool_put(c->pool, c->conn, good);
	c->conn = NULL;
	buf_reset(&c->gather);
}

static int lost(struct clnt_cleanup *c, struct err *e)
{
	leave(c, false);
	return err_prefix(e, "cleanup");
}

bool clnt_cleanup_is_open(const struct clnt_cleanup *c)
{
	return c->conn != NULL;
}

const char *clnt_cleanup_id(const struct clnt_cleanup *c)
{
	return c->id;
}

void clnt_cleanup_abort(struct clnt_cleanup *c)
{
	leave(c, false); /* closing before "end" is the protocol's abort */
}

static void fill_open(struct msg_cleanup_open *m, const struct clnt_cleanup_open *o)
{
	*m = (struct msg_cleanup_open){
		.sender = o->sender, .flags = o->flags, .smtputf8 = o->smtputf8, .body_type = o->body_type,
		.envid = o->envid, .ret = o->ret, .client_name = o->client_name,
		.client_addr = o->client_addr, .client_port = o->client_port, .helo_name = o->helo_name,
		.protocol = o->protocol, .rewrite_context = o->rewrite_context, .full_name = o->full_name,
		.parent_nonce = o->parent_nonce, .parent_offset = o->parent_offset,
		.expansion = o->expansion, .arrival_us = o->arrival_us, .uid = o->uid,
		.sasl_username = o->sasl_username, .sasl_method = o->sasl_method, .origin = o->origin,
		.size_hint = o->size_hint,
	};
}

/* 1 opened; 0 the connection was of no use (an old one of the pool, perhaps); -1 refused. */
static int try_open(struct clnt_cleanup *c, const struct msg_cleanup_open *m, struct err *e)
{
	int64_t deadline = fiber_deadline(c->timeout_ms);
	struct ipc_frame f;
	struct msg_cleanup_opened r;
	c->conn = ipc_pool_get(c->pool, deadline, e);
	if (!c->conn)
		return -1;
	if (msg_cleanup_open_send(c->conn, m, 0, NULL, 0, deadline, e) != 1)
		return 0;
	int rc = ipc_recv(c->conn, &f, deadline, e);
	if (rc == 0)
		err_set(e, ERR_TEMP, "connection closed");
	if (rc != 1 || msg_cleanup_opened_from(&f, &c->arena, &r, e) != 1)
		return 0;
	if (!r.ok)
		return err_set(e, ERR_TEMP, "%.*s", SV_ARG(r.text));
	c->id = arena_strdup(&c->arena, r.queue_id);
	if (!c->id) {
		c->id = "";
		return err_set(e, ERR_TEMP, "queue id is too long");
	}
	ipc_cork(c->conn); /* nothing is answered before the end: a small mail goes over at once */
	return 1;
}

int clnt_cleanup_open(struct clnt_cleanup *c, const struct clnt_cleanup_open *o, struct err *e)
{
	struct msg_cleanup_open m;
	clnt_cleanup_abort(c);
	arena_reset(&c->arena);
	c->id = "";
	fill_open(&m, o);
	/* A pooled connection may have died with its cleanup process: nothing was queued, so ask again. */
	for (int attempt = 0; attempt < 3; attempt++) {
		int rc = try_open(c, &m, e);
		if (rc == 1)
			return 0;
		leave(c, false);
		if (rc < 0)
			break;
	}
	return err_prefix(e, "cleanup");
}

static int not_open(struct err *e)
{
	return err_set(e, ERR_BUG, "cleanup: no message is open");
}

int clnt_cleanup_rcpt(struct clnt_cleanup *c, const struct clnt_cleanup_rcpt *r, struct err *e)
{
	if (!c->conn)
		return not_open(e);
	struct msg_cleanup_rcpt m = { .address = r->address, .original = r->original, .orcpt = r->orcpt,
		.notify = r->notify, .expanded = r->expanded };
	if (msg_cleanup_rcpt_send(c->conn, &m, 0, NULL, 0, fiber_deadline(c->timeout_ms), e) != 1)
		return lost(c, e);
	return 0;
}

static int send_data(struct clnt_cleanup *c, struct sv octets, struct err *e)
{
	while (octets.len > 0) {
		struct msg_cleanup_data m = { .octets = sv_upto(octets, PIECE_MAX) };
		if (msg_cleanup_data_send(c->conn, &m, 0, NULL, 0, fiber_deadline(c->timeout_ms), e) != 1)
			return lost(c, e);
		octets = sv_from(octets, m.octets.len);
	}
	return 0;
}

static int send_gathered(struct clnt_cleanup *c, struct err *e)
{
	if (c->gather.len == 0)
		return 0;
	int rc = send_data(c, buf_sv(&c->gather), e);
	buf_reset(&c->gather);
	return rc;
}

int clnt_cleanup_data(struct clnt_cleanup *c, struct sv octets, struct err *e)
{
	if (!c->conn)
		return not_open(e);
	if (octets.len <= GATHER - c->gather.len)
		return buf_put_sv(&c->gather, octets);
	if (send_gathered(c, e) < 0)
		return -1;
	return octets.len < GATHER ? buf_put_sv(&c->gather, octets) : send_data(c, octets, e);
}

int clnt_cleanup_end(struct clnt_cleanup *c, struct clnt_cleanup_result *out, struct err *e)
{
	struct msg_cleanup_end m;
	struct msg_cleanup_result r;
	struct ipc_frame f;
	int64_t deadline = fiber_deadline(c->timeout_ms);
	memset(&m, 0, sizeof(m));
	if (!c->conn)
		return not_open(e);
	if (send_gathered(c, e) < 0)
		return -1;
	if (msg_cleanup_end_send(c->conn, &m, 0, NULL, 0, deadline, e) != 1)
		return lost(c, e);
	int rc = ipc_recv(c->conn, &f, deadline, e);
	if (rc == 0)
		err_set(e, ERR_TEMP, "connection closed before the verdict");
	if (rc != 1 || msg_cleanup_result_from(&f, &c->arena, &r, e) != 1)
		return lost(c, e);
	*out = (struct clnt_cleanup_result){ .status = (enum clnt_cleanup_status)r.status,
		.smtp_code = r.smtp_code, .dsn = arena_strdup(&c->arena, r.dsn),
		.text = arena_strdup(&c->arena, r.text), .queue_id = arena_strdup(&c->arena, r.queue_id) };
	if (r.status > CLEANUP_PERM || !out->dsn || !out->text || !out->queue_id) {
		err_set(e, ERR_TEMP, "verdict is malformed");
		return lost(c, e);
	}
	leave(c, true);
	return 0;
}
