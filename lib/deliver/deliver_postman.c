#include "lib/deliver/deliver_postman.h"

#include <stdio.h>

#include "lib/clnt/clnt_postman.h"
#include "lib/fiber/fiber.h"

#define WRITE_MS (600 * 1000) /* locks of others, slow disks */

/* What the postman says becomes the outcome. */
static int take_answer(const struct msg_postman_written *w, struct deliver_outcome *out, struct err *e)
{
	struct sv unused;
	if (w->status != DELIVER_SENT && w->status != DELIVER_BOUNCED && w->status != DELIVER_DEFERRED)
		return err_set(e, ERR_BUG, "postman: unknown result %u", (unsigned)w->status);
	*out = (struct deliver_outcome){ .status = (enum deliver_status)w->status };
	dsn_split(w->dsn, DSN(4, 3, 0), &out->dsn, &unused);
	(void)snprintf(out->text, sizeof(out->text), "%.*s", SV_ARG(w->text));
	return 0;
}

int deliver_ask_mailbox(const struct deliver_request *rq, size_t i, const struct deliver_mailbox *m,
        struct sv sender, struct ipc_conn *c, struct deliver_outcome *out, struct err *e)
{
	struct msg_postman_written w;
	const struct msg_postman_mailbox ask = { .queue_id = rq->queue_id,
		.nonce = rq->nonce,
		.offset = rq->rcpts[i].offset,
		.content_offset = rq->content_offset,
		.content_size = rq->content_size,
		.flags = rq->flags,
		.sender = sender,
		.arrival_us = rq->arrival_us,
		.recipient = rq->rcpts[i].recipient,
		.original = rq->rcpts[i].original,
		.delivered_to = m->delivered_to,
		.owner = m->account.owner,
		.home = m->account.home,
		.mail = m->account.mail,
		.maybe_before = m->maybe_before,
		.size_limit = m->size_limit,
		.locks = m->mbox ? m->mbox->locks : 0,
		.attempts = m->mbox ? m->mbox->attempts : 0,
		.pause_ms = m->mbox ? m->mbox->pause_ms : 0,
		.stale_s = m->mbox ? m->mbox->stale_s : 0 };
	if (clnt_postman_mailbox(c, &ask, rq->fd, rq->arena, &w, fiber_deadline(WRITE_MS), e) < 0)
		return -1;
	return take_answer(&w, out, e);
}

int deliver_ask_file(const struct deliver_request *rq, size_t i, const struct deliver_file *f, struct sv head,
        struct ipc_conn *c, struct deliver_outcome *out, bool *config, struct err *e)
{
	struct msg_postman_written w;
	const struct msg_postman_file ask = { .queue_id = rq->queue_id,
		.nonce = rq->nonce,
		.offset = rq->rcpts[i].offset,
		.content_offset = rq->content_offset,
		.content_size = rq->content_size,
		.head = head,
		.path = sv_z(f->path),
		.locks = f->rules.locks,
		.attempts = f->rules.attempts,
		.pause_ms = f->rules.pause_ms,
		.stale_s = f->rules.stale_s,
		.size_limit = f->rules.size_limit,
		.limit_name = f->limit_name };
	if (clnt_postman_file(c, &ask, rq->fd, rq->arena, &w, fiber_deadline(WRITE_MS), e) < 0)
		return -1;
	*config = w.config;
	return take_answer(&w, out, e);
}
