/*
 * pickup/pickup_requeue.c - postsuper -r: a queue file passes cleanup again, with today's tables.
 *
 * Its header stays as it is (it was completed the first time); recipients that are done stay done.
 */
#include <errno.h>

#include "lib/fiber/fiber.h"
#include "lib/queue/queue_mail.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "pickup/pickup.h"

enum { PIECE = 64 * 1024, CLEANUP_MS = 600 * 1000 };

static void fill_open(const struct queue_mail *m, struct clnt_cleanup_open *o)
{
	const struct queue_facts *f = &m->facts;
	*o = (struct clnt_cleanup_open){
		.sender = f->sender, .envid = f->envid, .body_type = f->body_type,
		.client_name = f->client_name, .client_addr = f->client_addr,
		.client_port = f->client_port, .helo_name = f->helo_name,
		.protocol = f->protocol, .rewrite_context = f->rewrite_context,
		.sasl_username = f->sasl_username, .sasl_method = f->sasl_method, .origin = f->origin,
		.ret = f->ret, .uid = f->uid, .smtputf8 = m->h.mail_flags & QUEUE_MAIL_SMTPUTF8,
		.arrival_us = m->h.arrival_us, .parent_nonce = m->h.nonce, .expansion = SV("requeue"),
		.flags = CLEANUP_FLAG_RESUBMIT | CLEANUP_FLAG_SKIP_BCC | CLEANUP_FLAG_MASK_HEADERS,
	};
	if (m->h.mail_flags & QUEUE_MAIL_VERIFY)
		o->flags |= CLEANUP_FLAG_VERIFY;
}

/* Recipients that wait. 1 there are some, 0 none, -1. */
static int send_rcpts(struct clnt_cleanup *c, const struct queue_mail *m, struct err *e)
{
	struct queue_rcpt_cursor cur;
	struct queue_rcpt r;
	int rc, some = 0;
	queue_rcpt_start(&cur, m, 0);
	while ((rc = queue_rcpt_next(&cur, &r, e)) == 1) {
		struct clnt_cleanup_rcpt to = { .address = r.address, .original = r.original,
			.orcpt = r.orcpt, .notify = r.notify,
			.expanded = r.cell == QUEUE_CELL_EXPANDED };
		if (r.cell != QUEUE_CELL_PENDING && !to.expanded)
			continue;
		some = 1;
		if (clnt_cleanup_rcpt(c, &to, e) < 0) {
			rc = -1;
			break;
		}
	}
	queue_rcpt_end(&cur);
	return rc < 0 ? -1 : some;
}

static int send_content(struct clnt_cleanup *c, const struct queue_mail *m, struct err *e)
{
	char *piece = mem_alloc(PIECE);
	uint64_t at = m->h.content_offset, end = at + m->h.content_size;
	int rc = 0;
	while (at < end && rc == 0) {
		size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;
		if (sys_pread_all(m->fd, piece, n, (off_t)at) < 0)
			rc = err_sys(e, errno, "read");
		else
			rc = clnt_cleanup_data(c, sv_n(piece, n), e);
		at += n;
	}
	free(piece);
	return rc;
}

static int resubmit(struct pickup *p, const struct queue_mail *m, struct err *e)
{
	struct clnt_cleanup_open o;
	struct clnt_cleanup_result r;
	struct clnt_cleanup *c = clnt_cleanup_new(p->cleanup, CLEANUP_MS);
	fill_open(m, &o);
	int rc = clnt_cleanup_open(c, &o, e);
	if (rc == 0)
		rc = send_rcpts(c, m, e);
	if (rc == 1) {
		log_info("%s: requeued as %s, from=<%.*s>", m->h.id, clnt_cleanup_id(c), SV_ARG(o.sender));
		rc = send_content(c, m, e);
		if (rc == 0)
			rc = clnt_cleanup_end(c, &r, e);
		if (rc == 0 && r.status != CLEANUP_COMMITTED)
			rc = err_set(e, ERR_TEMP, "%s", r.text);
	}
	clnt_cleanup_free(c);
	return rc;
}

int pickup_requeue(struct pickup *p, int fd, struct err *e)
{
	struct queue_mail m;
	int rc = queue_mail_open(&m, fd, e);
	if (rc != QUEUE_FILE_OK)
		return rc < 0 ? -1 : 0;
	rc = queue_mail_check_envelope(&m, e);
	if (rc == QUEUE_FILE_OK)
		rc = resubmit(p, &m, e) < 0 ? -1 : 1;
	else
		rc = rc < 0 ? -1 : 0;
	queue_mail_close(&m);
	return rc;
}
