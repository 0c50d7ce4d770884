/* The content, from the queue file to the server, in large blocks; CRLF, dots and long lines are done on the way. */
#include <errno.h>
#include <stdlib.h>

#include "lib/fiber/fiber.h"
#include "lib/fiber/stream.h"
#include "lib/sys/sys.h"
#include "lib/wire/crlf.h"
#include "smtp/smtpc.h"

#define BLOCK   (64 * 1024)
#define OUT_MAX (8 * BLOCK)
#define DOING   "sending message body"

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

/* The server has closed its side: what it said before, if anything, is the reason. */
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

/* With smtp_per_request_deadline a slow server has no more time than the whole content is worth. */
static int64_t whole_deadline(const struct smtpc_try *t)
{
	const struct smtpc_settings *set = t->s->set;
	if (!set->whole_requests)
		return INT64_MAX;
	int64_t seconds = set->times.data_xfer;
	if (set->min_rate > 0)
		seconds += (int64_t)(t->rq->crlf_size / set->min_rate);
	return fiber_deadline(seconds * 1000);
}

static int send_all(struct smtpc_try *t, char *block, struct buf *out, struct smtpc_why *why)
{
	const struct deliver_request *rq = t->rq;
	struct smtpc_session *s = t->s;
	struct crlf crlf;
	int64_t deadline = whole_deadline(t);
	crlf_init(&crlf, true, true);
	crlf.limit = s->set->line_limit;
	for (uint64_t done = 0, n; done < rq->content_size; done += n) {
		uint64_t left = rq->content_size - done;
		n = left < BLOCK ? left : BLOCK;
		struct reading r = { .fd = rq->fd,
			.p = block,
			.n = (size_t)n,
			.at = (off_t)(rq->content_offset + done) };
		if (read_block(&r) < 0)
			return local_error(s, why, strerror(errno));
		if (crlf_put(&crlf, sv_n(block, (size_t)n), out) < 0)
			return local_error(s, why, "too many line ends in one block");
		if (left <= BLOCK)
			break; /* goes out together with the end */
		int rc = send_block(s, out, why);
		if (rc != 1)
			return rc;
		if (fiber_deadline(0) > deadline)
			return smtpc_lost(s, STREAM_TIMEOUT, DOING, why);
		if (fiber_yield() < 0)
			return smtpc_lost(s, STREAM_CANCELLED, DOING, why);
	}
	if (crlf_finish(&crlf, out) < 0)
		return local_error(s, why, "too many line ends in one block");
	return send_block(s, out, why);
}

int smtpc_content(struct smtpc_try *t, struct smtpc_why *why)
{
	struct buf out;
	char *block = mem_alloc(BLOCK);
	buf_init(&out, OUT_MAX);
	stream_write_timeout(t->s->stream, (int64_t)t->s->set->times.data_xfer * 1000);
	int rc = send_all(t, block, &out, why);
	buf_free(&out);
	free(block);
	return rc;
}
