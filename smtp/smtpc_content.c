/* The content, from the queue file to the server, in large blocks; CRLF, dots and long lines are done on the way. */
#include <errno.h>
#include <stdlib.h>

#include "lib/fiber/fiber.h"
#include "lib/fiber/stream.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "lib/wire/crlf.h"
#include "lib/queue/queue_file.h"
#include "smtp/smtpc.h"
#include "smtp/smtpc_convert.h"
#include "smtp/smtpc_generic.h"

#define BLOCK       (64 * 1024)
#define OUT_MAX     (8 * BLOCK)
#define CONVERT_MAX (32 * 1024 * 1024) /* of a message that is converted: all of it is in memory */
#define TREE_MAX    (16 * 1024 * 1024) /* of its structure */
#define DOING       "sending message body"

struct reading {
	int fd;
	char *p;
	size_t n;
	off_t at;
	int rc, saved;
};

static void read_run(void *rec)
{
	struct reading *r = rec;
	r->rc = sys_pread_all(r->fd, r->p, r->n, r->at);
	r->saved = errno;
}

/* The mail was written a moment ago: mostly it is in memory, and no thread is needed. */
static int read_block(struct reading *r)
{
	ssize_t got = sys_pread_cached(r->fd, r->p, r->n, r->at);
	if (got == (ssize_t)r->n)
		return 0;
	fiber_offload(FIBER_POOL_DURABLE, read_run, r);
	if (r->rc < 0)
		errno = r->saved;
	return r->rc;
}

static int local_error(struct smtpc_session *s, struct smtpc_why *why, const char *what)
{
	smtpc_because(why, DSN(4, 3, 0), "local data error while talking to %s: %s", s->name, what);
	return -1;
}

/* The server has closed its side, or speaks before the end: what it said, if it is a refusal, is the reason. */
static int interrupted(struct smtpc_session *s, struct smtpc_why *why)
{
	struct smtpc_why last;
	int rc = smtpc_reply(s, s->set->times.data_xfer, DOING, &last);
	s->broken = true;
	if (rc == 1 && s->got.code / 100 >= 4)
		smtpc_said(s, "end of DATA command", why);
	else
		smtpc_lost(s, STREAM_EOF, DOING, why);
	return -1;
}

static int send_block(struct smtpc_session *s, struct buf *out, struct smtpc_why *why)
{
	if (stream_peer(s->stream) != STREAM_PEER_OPEN)
		return interrupted(s, why);
	int rc = stream_put_sv(s->stream, buf_sv(out));
	if (rc != 1)
		return smtpc_lost(s, rc, DOING, why);
	buf_reset(out);
	return 1;
}

/* With smtp_per_request_deadline a slow server has no more time than the whole content is worth; never more than
 * leaves time for the answer. */
static int64_t whole_deadline(const struct smtpc_try *t)
{
	const struct smtpc_settings *set = t->s->set;
	if (!set->whole_requests)
		return t->dot_by;
	int64_t seconds = set->times.data_xfer;
	if (set->min_rate > 0)
		seconds += (int64_t)(t->rq->crlf_size / set->min_rate);
	int64_t whole = fiber_deadline(seconds * 1000);
	return whole < t->dot_by ? whole : t->dot_by;
}

/* A content on its way. */
struct sending {
	struct smtpc_try *t;
	struct crlf crlf;
	struct buf *out;
	int64_t deadline;
	struct smtpc_why *why;
};

static int no_room(struct sending *x)
{
	return local_error(x->t->s, x->why, "too many line ends in one block");
}

/* PIECE, at most BLOCK octets, converted; what fills a block goes out. 1, -1. */
static int put_piece(struct sending *x, struct sv piece)
{
	struct smtpc_session *s = x->t->s;
	if (crlf_put(&x->crlf, piece, x->out) < 0)
		return no_room(x);
	if (x->out->len < BLOCK)
		return 1;
	int rc = send_block(s, x->out, x->why);
	if (rc == 1 && fiber_deadline(0) > x->deadline)
		rc = smtpc_lost(s, STREAM_TIMEOUT, DOING, x->why);
	if (rc == 1 && fiber_yield() < 0)
		rc = smtpc_lost(s, STREAM_CANCELLED, DOING, x->why);
	return rc;
}

/* The header as smtp_generic_maps have it; *DONE: what of the content it stands for. 1, -1. */
static int send_head(struct sending *x, uint64_t *done)
{
	struct buf head;
	buf_init(&head, SMTPC_HEAD_MAX);
	int rc = smtpc_generic_head(x->t, &head, done, x->why);
	for (struct sv rest = buf_sv(&head); rc == 1 && rest.len > 0; rest = sv_from(rest, BLOCK))
		rc = put_piece(x, sv_upto(rest, BLOCK));
	buf_free(&head);
	return rc;
}

/* As it is in the queue, but for what smtp_generic_maps say of the header. */
static int send_plain(struct sending *x, char *block)
{
	const struct deliver_request *rq = x->t->rq;
	uint64_t done = 0;
	if (!generic_empty(&x->t->p->generic) && send_head(x, &done) != 1)
		return -1;
	for (uint64_t n; done < rq->content_size; done += n) {
		n = rq->content_size - done < BLOCK ? rq->content_size - done : BLOCK;
		struct reading r = { .fd = rq->fd,
			.p = block,
			.n = (size_t)n,
			.at = (off_t)(rq->content_offset + done) };
		if (read_block(&r) < 0)
			return local_error(x->t->s, x->why, strerror(errno));
		int rc = put_piece(x, sv_n(block, (size_t)n));
		if (rc != 1)
			return rc;
	}
	return 1;
}

static int convert_piece(void *ctx, struct sv piece)
{
	struct sending *x = ctx;
	int rc = 1;
	for (; rc == 1 && piece.len > 0; piece = sv_from(piece, BLOCK))
		rc = put_piece(x, sv_upto(piece, BLOCK));
	return rc == 1 ? 0 : 1;
}

/* The whole message in memory, and its structure: in a thread, as it may be large. */
struct parsing {
	struct reading r;
	struct sv message; /* ends with what is read */
	struct arena arena;
	struct mime_part *root;
	int rc;
};

static void parse_run(void *rec)
{
	struct parsing *p = rec;
	read_run(&p->r);
	if (p->r.rc == 0)
		p->rc = smtpc_convert_parse(p->message, &p->arena, &p->root);
}

/* Its 8-bit parts encoded. */
static int send_converted(struct sending *x)
{
	const struct deliver_request *rq = x->t->rq;
	struct buf whole;
	uint64_t done = 0;
	int rc;
	buf_init(&whole, SMTPC_HEAD_MAX + CONVERT_MAX + 1);
	if (!generic_empty(&x->t->p->generic) && smtpc_generic_head(x->t, &whole, &done, x->why) != 1) {
		buf_free(&whole);
		return -1;
	}
	struct parsing p = { .r = {
		.fd = rq->fd, .n = (size_t)(rq->content_size - done), .at = (off_t)(rq->content_offset + done) } };
	p.r.p = buf_room(&whole, p.r.n + 1);
	if (!p.r.p) {
		buf_free(&whole);
		return local_error(x->t->s, x->why, "too large to be converted");
	}
	p.message = sv_n(whole.p, whole.len + p.r.n);
	arena_init(&p.arena, TREE_MAX);
	fiber_offload(FIBER_POOL_LOOKUP, parse_run, &p);
	if (p.r.rc < 0)
		rc = local_error(x->t->s, x->why, strerror(p.r.saved));
	else if (p.rc < 0)
		rc = local_error(x->t->s, x->why, "too many MIME parts to convert");
	else
		rc = smtpc_convert(p.message, p.root, convert_piece, x) == 0 ? 1 : -1;
	arena_free(&p.arena);
	buf_free(&whole);
	return rc;
}

/* A server without 8BITMIME gets no octets over 127, where the message says which parts have them. */
static bool is_converted(const struct smtpc_try *t)
{
	const struct deliver_request *rq = t->rq;
	if ((t->s->features & SMTPC_8BITMIME) || !t->s->set->convert_8bit || !(rq->content_flags & QUEUE_CONTENT_8BIT))
		return false;
	if (rq->content_size <= CONVERT_MAX)
		return true;
	log_warn("%.*s: too large to be converted for %s, which has no 8BITMIME: sent as it is", SV_ARG(rq->queue_id),
		t->s->name);
	return false;
}

int smtpc_content(struct smtpc_try *t, struct smtpc_why *why)
{
	struct buf out;
	struct sending x = { .t = t, .out = &out, .deadline = whole_deadline(t), .why = why };
	char *block = mem_alloc(BLOCK);
	*why = (struct smtpc_why){ .set = false };
	buf_init(&out, OUT_MAX);
	crlf_init(&x.crlf, true, true);
	x.crlf.limit = t->s->set->line_limit;
	stream_write_timeout(t->s->stream, (int64_t)t->s->set->times.data_xfer * 1000);
	int rc = is_converted(t) ? send_converted(&x) : send_plain(&x, block);
	if (rc == 1 && crlf_finish(&x.crlf, &out) < 0)
		rc = no_room(&x);
	if (rc == 1 && fiber_deadline(0) > t->dot_by)
		rc = smtpc_lost(t->s, STREAM_TIMEOUT, DOING, why);
	if (rc == 1 && !deliver_awaited(t->rq))
		rc = local_error(t->s, why, "the queue manager that gave the mail is gone, the next one asks again");
	/* what it says before the dot would be believed to be the answer to it */
	if (rc == 1 && smtpc_speaks(t->s))
		rc = interrupted(t->s, why);
	if (rc == 1)
		rc = send_block(t->s, &out, why);
	buf_free(&out);
	free(block);
	return rc;
}
