/*
 * The program's input: a file without a name. Not a pipe: when whoever feeds a pipe is killed, the program takes
 * that for the end of the mail.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/deliver/deliver_head.h"
#include "lib/fiber/fiber.h"
#include "lib/mail/addr.h"
#include "lib/mail/header.h"
#include "lib/mail/mbox_text.h"
#include "lib/sys/clock.h"
#include "lib/sys/nameless.h"
#include "lib/sys/sys.h"
#include "pipe/pipe.h"

#define BLOCK    (128 * 1024)
#define OUT_MAX  (BLOCK * 101) /* lines of one octet each, a long eol= */
#define HEAD_MAX (256 * 1024)  /* how far Delivered-To is looked for */

struct sv pipe_sender(const struct pipe_def *d, const struct deliver_request *rq)
{
	return sv_empty(rq->sender) ? sv_z(d->null_sender) : rq->sender;
}

/* Lines that stand in front of the mail, with LF. */
static int put_head(const struct pipe_def *d, const struct deliver_request *rq, struct buf *out)
{
	const struct deliver_rcpt *r = &rq->rcpts[0];
	struct sv sender = pipe_sender(d, rq);
	int64_t now = clock_wall_s();
	int rc = d->flags & PIPE_FROM_LINE ? mbox_from_line(out, sender, now, clock_tz_min(now)) : 0;
	if (rc == 0 && (d->flags & PIPE_RETURN_PATH))
		rc = deliver_return_path(out, sender);
	if (rc == 0 && (d->flags & PIPE_ORIGINAL_TO))
		rc = deliver_address_field(out, "X-Original-To", sv_empty(r->original) ? r->recipient : r->original);
	if (rc == 0 && (d->flags & PIPE_DELIVERED_TO))
		rc = deliver_address_field(out, "Delivered-To", r->recipient);
	return rc;
}

struct input_job {
	const struct pipe_def *d;
	const struct deliver_request *rq;
	int fd;
	struct err err;
};

static int flush(struct input_job *j, struct buf *b)
{
	if (sys_write_all(j->fd, b->p, b->len) < 0)
		return err_sys(&j->err, errno, "write of a program's input");
	buf_reset(b);
	return 0;
}

static int copy(struct input_job *j, struct buf *b)
{
	const struct deliver_request *rq = j->rq;
	struct pipe_text head = { .eol = j->d->eol }, body = { .eol = j->d->eol, .flags = j->d->flags };
	struct buf lines;
	buf_init(&lines, BLOCK);
	int rc = put_head(j->d, rq, &lines) < 0 || pipe_text_put(&head, buf_sv(&lines), b) < 0
	                 ? err_set(&j->err, ERR_BUG, "header lines of the delivery are too long")
	                 : flush(j, b);
	buf_free(&lines);
	char *p = mem_alloc(BLOCK);
	for (uint64_t done = 0, n; rc == 0 && done < rq->content_size; done += n) {
		uint64_t left = rq->content_size - done;
		n = left < BLOCK ? left : BLOCK;
		if (sys_pread_all(rq->fd, p, (size_t)n, (off_t)(rq->content_offset + done)) < 0)
			rc = err_sys(&j->err, errno, "read of the queue file");
		else if (pipe_text_put(&body, sv_n(p, (size_t)n), b) < 0)
			rc = err_set(&j->err, ERR_TEMP, "out of memory for a program's input");
		else
			rc = flush(j, b);
	}
	free(p);
	if (rc == 0 && pipe_text_end(&body, b) < 0)
		rc = err_set(&j->err, ERR_TEMP, "out of memory for a program's input");
	return rc == 0 ? flush(j, b) : rc;
}

static void input_run(void *rec)
{
	struct input_job *j = rec;
	struct buf b;
	j->fd = sys_nameless(PIPE_PARTIAL, &j->err);
	if (j->fd < 0)
		return;
	buf_init(&b, OUT_MAX);
	int rc = copy(j, &b);
	buf_free(&b);
	if (rc == 0 && lseek(j->fd, 0, SEEK_SET) == 0)
		return;
	if (rc == 0)
		err_sys(&j->err, errno, "seek in a program's input");
	sys_close(j->fd);
	j->fd = -1;
}

int pipe_input(const struct pipe_def *d, const struct deliver_request *rq, int *fd, struct err *e)
{
	struct input_job j = { .d = d, .rq = rq, .fd = -1 };
	fiber_offload(FIBER_POOL_DURABLE, input_run, &j);
	*fd = j.fd;
	if (j.fd < 0)
		*e = j.err;
	return j.fd < 0 ? -1 : 0;
}

struct head_job {
	const struct deliver_request *rq;
	char *text;
	size_t size;
	int rc, saved;
};

static void head_run(void *rec)
{
	struct head_job *j = rec;
	j->rc = sys_pread_all(j->rq->fd, j->text, j->size, (off_t)j->rq->content_offset);
	j->saved = errno;
}

int pipe_loops(const struct deliver_request *rq, struct sv address, struct err *e)
{
	struct head_job j = { .rq = rq, .size = rq->content_size < HEAD_MAX ? (size_t)rq->content_size : HEAD_MAX };
	struct header_field f;
	int found = 0;
	j.text = mem_alloc(j.size + 1);
	fiber_offload(FIBER_POOL_DURABLE, head_run, &j);
	struct sv rest = sv_n(j.text, j.size);
	while (j.rc == 0 && !found && header_next(&rest, &f) == 1) {
		struct buf b;
		if (f.id != HDR_DELIVERED_TO)
			continue;
		buf_init(&b, 2 * ADDR_MAX);
		found = addr_unquote(&b, sv_trim(f.body)) == 0 && addr_ieq(buf_sv(&b), address);
		buf_free(&b);
	}
	free(j.text);
	return j.rc < 0 ? err_sys(e, j.saved, "read of the queue file") : found;
}
