/*
 * One recipient's expansion as one new mail: cleanup gets the content with two fields in front. Its
 * nonce is made of this mail's nonce, the recipient and the expansion: when a crash makes us do it
 * again, the copies are found by their delivery keys.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/clnt/clnt_cleanup.h"
#include "lib/fiber/fiber.h"
#include "lib/mail/addr.h"
#include "lib/mail/date.h"
#include "lib/mail/header.h"
#include "lib/queue/queue_file.h"
#include "lib/sys/clock.h"
#include "lib/sys/sys.h"
#include "local/local.h"

#define BLOCK      (128 * 1024)
#define TIMEOUT_MS (300 * 1000)

struct block_job {
	int fd;
	uint64_t offset;
	size_t size;
	char *p;
	int rc, saved;
};

static void block_run(void *rec)
{
	struct block_job *j = rec;
	j->rc = sys_pread_all(j->fd, j->p, j->size, (off_t)j->offset);
	j->saved = errno;
}

/* Received, and Delivered-To for the next look at loops. */
static int put_head(const struct local_rcpt *r, const struct local_expansion *x, struct buf *out)
{
	const struct local *l = r->local;
	int64_t now = clock_wall_s();
	struct buf external;
	buf_init(&external, 2 * ADDR_MAX);
	int rc = addr_quote(&external, r->address);
	if (rc == 0)
		rc = buf_printf(out, "Received: by %s (%s)\n\tid %.*s", l->core.myhostname,
		        l->core.mail_name, SV_ARG(r->rq->queue_id));
	if (rc == 0 && x->again)
		rc = buf_printf(out, "\n\t" LOCAL_OWNER_MARK "%.*s>)", SV_ARG(x->sender));
	bool list = (x->list && !x->again) || x->member;
	if (rc == 0 && (x->in_place || list)) {
		rc = buf_puts(out, "\n\t" LOCAL_STEP_MARK);
		if (rc == 0)
			rc = header_clean(out, buf_sv(&external));
		if (rc == 0)
			rc = buf_puts(out, list ? ">" LOCAL_LIST_MARK : ">");
	}
	if (rc == 0)
		rc = buf_puts(out, "; ");
	if (rc == 0)
		rc = date_format(out, now, clock_tz_min(now));
	/* frozen_delivered_to: an alias in an alias is told by the step alone */
	bool told = x->in_place && l->params.frozen_delivered_to && r->loop->nsteps > 0;
	if (rc == 0 && l->delivered_to_forward && !x->again && !told) {
		rc = buf_puts(out, "\nDelivered-To: ");
		if (rc == 0)
			rc = header_clean(out, buf_sv(&external));
	}
	buf_free(&external);
	return rc == 0 ? buf_putc(out, '\n') : -1;
}

static int send_content(const struct local_rcpt *r, const struct local_expansion *x,
        struct clnt_cleanup *c, struct err *e)
{
	const struct deliver_request *rq = r->rq;
	struct buf head;
	buf_init(&head, 8192);
	int rc = put_head(r, x, &head);
	rc = rc < 0 ? err_set(e, ERR_BUG, "header fields are too long")
	            : clnt_cleanup_data(c, buf_sv(&head), e);
	buf_free(&head);
	struct block_job j = { .fd = rq->fd, .p = mem_alloc(BLOCK) };
	for (uint64_t done = 0; rc == 0 && done < rq->content_size; done += j.size) {
		j.offset = rq->content_offset + done;
		j.size =
		        rq->content_size - done > BLOCK ? BLOCK : (size_t)(rq->content_size - done);
		fiber_offload(FIBER_POOL_DURABLE, block_run, &j);
		rc = j.rc < 0 ? err_sys(e, j.saved, "read of the queue file")
		              : clnt_cleanup_data(c, sv_n(j.p, j.size), e);
	}
	free(j.p);
	return rc;
}

/*
 * RFC 3461 5.2.7: a list's members owe nothing to the request of the list's sender, who is told
 * "delivered"; the members of an alias report failures as asked, and its sender is told "expanded"; one
 * forwarding address takes over the whole request.
 */
static enum queue_action action_of(const struct local_expansion *x)
{
	if (x->list)
		return QUEUE_ACTION_DELIVERED;
	return x->n + x->self + x->nmembers > 1 ? QUEUE_ACTION_EXPANDED : QUEUE_ACTION_PASSED_ON;
}

static int send_rcpts(const struct local_rcpt *r, const struct local_expansion *x,
        struct clnt_cleanup *c, struct err *e)
{
	const struct deliver_rcpt *rcpt = &r->rq->rcpts[r->i];
	for (size_t i = 0; i < x->n; i++) {
		struct clnt_cleanup_rcpt to = { .address = x->addresses[i], .original = SV_NONE };
		to.original = sv_empty(rcpt->original) ? rcpt->recipient : rcpt->original;
		if (!x->list) {
			to.orcpt = rcpt->orcpt;
			to.notify = action_of(x) == QUEUE_ACTION_EXPANDED
			                    ? queue_notify_of_members(rcpt->notify)
			                    : rcpt->notify;
		}
		if (clnt_cleanup_rcpt(c, &to, e) < 0)
			return -1;
	}
	return 0;
}

int local_inject(const struct local_rcpt *r, const struct local_expansion *x, char id[LOCAL_ID_MAX],
        struct dsn_code *dsn, struct err *e)
{
	const struct deliver_request *rq = r->rq;
	struct clnt_cleanup_open o = {
		.sender = x->sender,
		.flags = CLEANUP_FLAG_MASK_HEADERS | CLEANUP_FLAG_RESUBMIT | CLEANUP_FLAG_SKIP_BCC,
		.smtputf8 = rq->smtputf8,
		.body_type = rq->body_type,
		.envid = x->list ? SV_NONE : rq->envid,
		.ret = x->list ? 0 : rq->ret,
		.client_name = rq->client_name,
		.client_addr = rq->client_addr,
		.helo_name = rq->helo_name,
		.protocol = rq->protocol,
		.rewrite_context = SV("local"),
		.origin = SV("local"),
		.parent_nonce = rq->nonce,
		.parent_offset = rq->rcpts[r->i].offset,
		.expansion = x->written,
		.arrival_us = rq->arrival_us,
		.uid = -1,
		.size_hint = rq->content_size,
	};
	struct clnt_cleanup *c = clnt_cleanup_new(r->local->cleanup, TIMEOUT_MS);
	struct clnt_cleanup_result res = { .status = CLEANUP_TEMP };
	int rc = clnt_cleanup_open(c, &o, e);
	if (rc == 0)
		rc = send_rcpts(r, x, c, e);
	if (rc == 0)
		rc = send_content(r, x, c, e);
	if (rc == 0)
		rc = clnt_cleanup_end(c, &res, e);
	if (rc == 0) {
		dsn_split(sv_z(res.dsn), *dsn, dsn, &(struct sv){ 0 });
		rc = res.status == CLEANUP_COMMITTED ? 1 : res.status == CLEANUP_PERM ? 0 : -1;
		if (rc == 1) {
			(void)snprintf(id, LOCAL_ID_MAX, "%s", res.queue_id);
			rq->rcpts[r->i].action = action_of(x);
		} else {
			err_set(e, ERR_TEMP, "%s", res.text);
		}
	}
	clnt_cleanup_abort(c);
	clnt_cleanup_free(c);
	return rc;
}
