/*
 * smtp_generic_maps: what a server is told of addresses of this site, in the envelope and in the header. All addresses
 * are looked up before the first server is tried, so that a table that fails costs no connection; log lines and
 * reports keep the addresses of the queue file.
 */
#include "smtp/smtpc_generic.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#define BLOCK    (64 * 1024)
#define HEAD_MAX (16u * 1024 * 1024)

static int failed(const struct deliver_request *rq, const struct err *e, struct smtpc_why *why)
{
	log_warn("%.*s: %s", SV_ARG(rq->queue_id), e->text);
	smtpc_because(why, DSN(4, 3, 0), "addresses of this site cannot be looked up: %s", e->text);
	return -1;
}

int smtpc_generic_envelope(struct smtpc_try *t, struct smtpc_why *why)
{
	struct deliver_request *rq = t->rq;
	struct generic *g = &t->p->generic;
	struct err e = ERR_INIT;
	t->sender = rq->sender;
	t->recipients = arena_array(rq->arena, rq->nrcpts, sizeof(*t->recipients));
	if (!t->recipients) {
		err_set(&e, ERR_TEMP, "no memory left for this mail");
		return failed(rq, &e, why);
	}
	for (size_t i = 0; i < rq->nrcpts; i++) {
		t->recipients[i] = rq->rcpts[i].recipient;
		if (generic_addr(g, &t->recipients[i], rq->arena, &e) < 0)
			return failed(rq, &e, why);
	}
	return generic_addr(g, &t->sender, rq->arena, &e) < 0 ? failed(rq, &e, why) : 1;
}

struct head_job {
	const struct deliver_request *rq;
	struct buf *in;
	int rc, saved;
};

/* Where the empty line of IN begins that ends a header, seen from FROM on; -1: not here. */
static ptrdiff_t end_of_head(struct sv in, size_t from)
{
	if (in.len > 0 && in.p[0] == '\n')
		return 0;
	ptrdiff_t at = sv_find(sv_from(in, from), SV("\n\n"));
	return at < 0 ? -1 : at + (ptrdiff_t)from + 1;
}

/* Read until the header is whole; what of the body came with it stays outside. */
static void read_head(void *rec)
{
	struct head_job *j = rec;
	const struct deliver_request *rq = j->rq;
	ptrdiff_t end = -1;
	while (end < 0 && j->in->len < rq->content_size) {
		uint64_t left = rq->content_size - j->in->len;
		size_t n = left < BLOCK ? (size_t)left : BLOCK, before = j->in->len;
		char *room = buf_room(j->in, n);
		if (!room || sys_pread_all(rq->fd, room, n, (off_t)(rq->content_offset + before)) < 0) {
			j->rc = -1;
			j->saved = room ? errno : EFBIG;
			return;
		}
		buf_added(j->in, n);
		end = end_of_head(buf_sv(j->in), before > 0 ? before - 1 : 0);
	}
	if (end >= 0)
		buf_truncate(j->in, (size_t)end);
}

int smtpc_generic_head(struct smtpc_try *t, struct buf *out, uint64_t *length, struct smtpc_why *why)
{
	struct buf in;
	struct err e = ERR_INIT;
	buf_init(&in, HEAD_MAX);
	struct head_job j = { .rq = t->rq, .in = &in };
	fiber_offload(FIBER_POOL_DURABLE, read_head, &j);
	int rc = j.rc < 0 ? err_sys(&e, j.saved, "header") : generic_head(&t->p->generic, buf_sv(&in), out, &e);
	*length = in.len;
	buf_free(&in);
	return rc < 0 ? failed(t->rq, &e, why) : 1;
}
