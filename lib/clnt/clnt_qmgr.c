#include "lib/clnt/clnt_qmgr.h"

#include "lib/base/arena.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"
#include "lib/sys/clock.h"

#define CREDITS_MAX   64   /* kept for later mails of this process */
#define TRIGGER_MS    1000 /* for the socket's buffer to have room */
#define TRIGGER_TRIES 3    /* idle connections that a restarted qmgr has closed */

struct clnt_qmgr {
	struct ipc_pool *pool;
	uint32_t credits;
};

struct clnt_qmgr *clnt_qmgr_new(struct ipc_pool *pool)
{
	struct clnt_qmgr *q = mem_alloc(sizeof(*q));
	q->pool = pool;
	return q;
}

void clnt_qmgr_free(struct clnt_qmgr *q)
{
	free(q);
}

/* Ask on one connection: 1 credits came, 0 not in time, -1 no qmgr there. */
static int ask_credit(struct clnt_qmgr *q, int64_t deadline, struct err *e)
{
	struct ipc_frame f;
	struct arena a;
	struct msg_qmgr_credit m;
	struct ipc_conn *c = ipc_pool_get(q->pool, deadline, e);
	if (!c)
		return -1;
	int rc = ipc_send(c, MSG_qmgr_PROTOCOL, MSG_qmgr_VERSION, MSG_qmgr_want_credit, 1, SV_NONE,
	        NULL, 0, deadline, e);
	if (rc == 1)
		rc = ipc_recv(c, &f, deadline, e);
	if (rc != 1) {
		/* an answer that comes later must not be taken for that of a later question */
		ipc_pool_put(q->pool, c, false);
		if (rc == 0)
			return err_set(e, ERR_TEMP, "qmgr: connection ended without an answer");
		return clock_mono_ms() >= deadline ? 0 : -1;
	}
	arena_init(&a, 4096);
	if (f.type != MSG_qmgr_credit)
		rc = err_set(e, ERR_TEMP, "qmgr: unexpected answer %u", f.type);
	else
		rc = msg_qmgr_credit_decode(f.body, &a, &m, e);
	if (rc == 1)
		q->credits += m.mails < CREDITS_MAX ? m.mails : CREDITS_MAX;
	arena_free(&a);
	ipc_pool_put(q->pool, c, rc == 1);
	return rc == 1 ? 1 : -1;
}

int clnt_qmgr_credit(struct clnt_qmgr *q, int64_t wait_ms, struct err *e)
{
	int64_t deadline = fiber_deadline(wait_ms);
	int rc = 1;
	if (q->credits == 0 && wait_ms > 0) {
		rc = ask_credit(q, deadline, e);
		/* a kept connection may belong to a qmgr that is no more */
		if (rc < 0)
			rc = ask_credit(q, deadline, e);
	}
	if (rc < 0)
		return -1;
	if (q->credits == 0)
		return 0;
	q->credits--;
	return 1;
}

int clnt_qmgr_arrived(struct clnt_qmgr *q, struct sv queue_id, struct err *e)
{
	struct msg_qmgr_arrived m = { .queue_id = queue_id };
	struct buf body;
	int rc = -1;

	buf_init(&body, 4096);
	if (msg_qmgr_arrived_encode(&m, &body) < 0) {
		buf_free(&body);
		return err_set(e, ERR_BUG, "qmgr: request too large");
	}
	for (int i = 0; i < TRIGGER_TRIES && rc != 1; i++) {
		int64_t deadline = fiber_deadline(TRIGGER_MS);
		struct ipc_conn *c = ipc_pool_get(q->pool, deadline, e);
		if (!c)
			break;
		rc = ipc_send(c, MSG_qmgr_PROTOCOL, MSG_qmgr_VERSION, MSG_qmgr_arrived, 0,
		        buf_sv(&body), NULL, 0, deadline, e);
		ipc_pool_put(q->pool, c, rc == 1);
	}
	buf_free(&body);
	return rc == 1 ? 1 : -1;
}

static int flush_answer(const struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_qmgr_accepted m;
	if (f->type != MSG_qmgr_accepted)
		return err_set(e, ERR_TEMP, "qmgr: unexpected answer %u", f->type);
	if (msg_qmgr_accepted_decode(f->body, a, &m, e) != 1)
		return -1;
	if (!m.ok) {
		err_set(e, m.denied ? ERR_PERM : ERR_TEMP, "%.*s", SV_ARG(m.text));
		return 0;
	}
	return 1;
}

int clnt_qmgr_flush(struct clnt_qmgr *q, const struct sv *sites, size_t nsites,
        const struct sv *ids, size_t nids, int64_t deadline, struct err *e)
{
	struct arena a;
	struct buf body;
	int rc = -1;

	arena_init(&a, 256 * 1024);
	buf_init(&body, IPC_FRAME_MAX);
	struct msg_qmgr_flush m = { 0 };
	m.sites.v = arena_array(&a, nsites + 1, sizeof(struct sv));
	m.queue_ids.v = arena_array(&a, nids + 1, sizeof(struct sv));
	if (!m.sites.v || !m.queue_ids.v) {
		err_set(e, ERR_TEMP, "qmgr: too many sites or queue ids");
	} else {
		struct ipc_frame f;
		if (nsites > 0)
			memcpy(m.sites.v, sites, nsites * sizeof(*sites));
		if (nids > 0)
			memcpy(m.queue_ids.v, ids, nids * sizeof(*ids));
		m.sites.n = nsites;
		m.queue_ids.n = nids;
		if (msg_qmgr_flush_encode(&m, &body) < 0)
			err_set(e, ERR_TEMP, "qmgr: too many sites or queue ids");
		else if (ipc_call(q->pool, MSG_qmgr_PROTOCOL, MSG_qmgr_VERSION, MSG_qmgr_flush,
		                 buf_sv(&body), &a, &f, deadline, e) == 1)
			rc = flush_answer(&f, &a, e);
	}
	buf_free(&body);
	arena_free(&a);
	return rc;
}
