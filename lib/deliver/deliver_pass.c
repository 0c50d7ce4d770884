#include "lib/deliver/deliver_pass.h"

#include <stdio.h>

#include "lib/ipc/msg.h"

static enum deliver_status status_of(uint32_t result)
{
	switch (result) {
	case QUEUE_DELIVERED: return DELIVER_SENT;
	case QUEUE_BOUNCED: return DELIVER_BOUNCED;
	default: return DELIVER_DEFERRED;
	}
}

/* What the agent says about the one recipient. 0, or -1 with E. */
static int take_results(struct deliver_request *rq, struct deliver_rcpt *r, const struct ipc_frame *f,
        struct deliver_outcome *out, struct err *e)
{
	struct msg_deliver_results m;
	struct sv unused;
	if (msg_deliver_results_from(f, rq->arena, &m, e) < 0)
		return -1;
	if (m.offsets.n != 1 || m.offsets.v[0] != r->offset || m.statuses.n != 1 || m.dsns.n != 1 ||
	        m.texts.n != 1)
		return err_set(e, ERR_BUG, "results for other recipients");
	out->status = status_of(m.statuses.v[0]);
	dsn_split(m.dsns.v[0], DSN(4, 3, 0), &out->dsn, &unused);
	(void)snprintf(out->text, sizeof(out->text), "%.*s", SV_ARG(m.texts.v[0]));
	out->logged = true;
	if (m.actions.n == 1)
		r->action = (enum queue_action)m.actions.v[0];
	if (m.remote_mtas.n == 1)
		r->remote_mta = arena_sv(rq->arena, m.remote_mtas.v[0]);
	if (m.diagnostics.n == 1)
		r->diagnostic = arena_sv(rq->arena, m.diagnostics.v[0]);
	return rq->arena->exhausted ? err_set(e, ERR_TEMP, "out of memory for a result") : 0;
}

static int ask(struct deliver_request *rq, struct deliver_rcpt *r, struct ipc_conn *c, struct sv transport,
        struct sv nexthop, int64_t deadline, struct deliver_outcome *out, struct err *e)
{
	struct msg_deliver_request m = {
		.queue_id = rq->queue_id,
		.nonce = rq->nonce,
		.flags = rq->flags,
		.nexthop = nexthop,
		.sender = rq->sender,
		.arrival_us = rq->arrival_us,
		.content_offset = rq->content_offset,
		.content_size = rq->content_size,
		.crlf_size = rq->crlf_size,
		.content_flags = rq->content_flags,
		.envid = rq->envid,
		.ret = rq->ret,
		.body_type = rq->body_type,
		.smtputf8 = rq->smtputf8,
		.offsets = { &r->offset, 1 },
		.recipients = { &r->recipient, 1 },
		.originals = { &r->original, 1 },
		.orcpts = { &r->orcpt, 1 },
		.notifies = { &r->notify, 1 },
		.active_us = rq->active_us,
		.client_name = rq->client_name,
		.client_addr = rq->client_addr,
		.helo_name = rq->helo_name,
		.protocol = rq->protocol,
		.sasl_username = rq->sasl_username,
		.transport = transport,
	};
	struct ipc_frame f;
	if (msg_deliver_request_send(c, &m, 1, &rq->fd, 1, deadline, e) < 0)
		return -1;
	int rc = ipc_recv(c, &f, deadline, e);
	if (rc == 0)
		return err_set(e, ERR_TEMP, "it ended before it answered");
	return rc < 0 ? -1 : take_results(rq, r, &f, out, e);
}

void deliver_pass(struct deliver_request *rq, size_t i, int fd, struct sv transport, struct sv nexthop,
        int64_t deadline, struct deliver_outcome *out)
{
	struct ipc_conn *c = ipc_conn_new(fd);
	struct err e = ERR_INIT;
	if (ask(rq, &rq->rcpts[i], c, transport, nexthop, deadline, out, &e) < 0) {
		*out = (struct deliver_outcome){ .status = DELIVER_DEFERRED, .dsn = DSN(4, 3, 0) };
		(void)snprintf(out->text, sizeof(out->text), "transport %.*s: %s", SV_ARG(transport), e.text);
	}
	ipc_conn_free(c);
}
