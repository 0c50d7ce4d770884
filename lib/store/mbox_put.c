#include "lib/store/mbox_put.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/mail/mbox_text.h"
#include "lib/store/mbox_scan.h"
#include "lib/sys/sys.h"

#define BLOCK (64 * 1024)

struct put {
	int fd;
	const char *path;
	uint64_t total;
	struct buf out;
	struct mbox_scan *scan; /* of a mail for a mailbox */
	struct mbox_rewrite w;
	struct err *e;
};

static int flush(struct put *p)
{
	if (p->fd >= 0 && sys_write_all(p->fd, p->out.p, p->out.len) < 0)
		return err_sys(p->e, errno, "write to %s", p->path);
	buf_reset(&p->out);
	return 0;
}

static int out(void *ctx, struct sv octets)
{
	struct put *p = ctx;
	p->total += octets.len;
	while (!sv_empty(octets)) {
		struct sv part = sv_upto(octets, BLOCK);
		(void)buf_put_sv(&p->out, part);
		octets = sv_from(octets, part.len);
		if (p->out.len >= BLOCK && flush(p) < 0)
			return -1;
	}
	return 0;
}

/* Quoted octets, on their way out. */
static int pass(struct put *p, struct buf *b)
{
	int rc = p->scan ? mbox_scan_put(p->scan, buf_sv(b)) : out(p, buf_sv(b));
	buf_reset(b);
	return rc;
}

/* The content, quoted, with the end of its last line and the empty line between mails. */
static int pass_content(struct put *p, const struct mbox_mail *mail, struct buf *b)
{
	struct mbox_quote q = { .matched = 0 };
	char *block = mem_alloc(BLOCK);
	uint64_t done = 0;
	int rc = 0;
	while (rc == 0 && done < mail->size) {
		size_t n = mail->size - done < BLOCK ? (size_t)(mail->size - done) : BLOCK;
		if (sys_pread_all(mail->fd, block, n, (off_t)(mail->offset + done)) < 0)
			rc = err_sys(p->e, errno, "read of the queue file");
		else if (mbox_quote_put(&q, sv_n(block, n), b) < 0)
			rc = err_set(p->e, ERR_BUG, "a block of a mail grew too much");
		else
			rc = pass(p, b);
		done += n;
	}
	free(block);
	if (rc == 0 && mbox_quote_end(&q, b) < 0)
		rc = err_set(p->e, ERR_BUG, "a block of a mail grew too much");
	return rc == 0 ? pass(p, b) : rc;
}

static void begin_scan(struct put *p, const struct mbox_mail *mail)
{
	const struct mbox_sink sink = { .piece = mbox_rewrite_content, .ctx = &p->w };
	p->scan = mem_alloc(sizeof(*p->scan));
	p->w = (struct mbox_rewrite){ .block = mail->fields, .out = out, .ctx = p };
	mbox_scan_init(p->scan, &sink, 0);
}

int mbox_put(int fd, const struct mbox_mail *mail, struct sv before, uint64_t *total, const char *path, struct err *e)
{
	struct err why = ERR_INIT;
	struct put p = { .fd = fd, .path = path, .e = &why };
	struct buf b;
	buf_init(&p.out, 2 * BLOCK);
	/* a quoted block is at most twice as long, and five octets may have been held back */
	buf_init(&b, 2 * BLOCK + mail->head.len + 16);
	int rc = out(&p, before);
	if (!sv_empty(mail->fields))
		begin_scan(&p, mail);
	if (rc == 0 && (rc = buf_put_sv(&b, mail->head)) == 0)
		rc = pass(&p, &b);
	if (rc == 0)
		rc = pass_content(&p, mail, &b);
	if (rc == 0 && p.scan && (rc = mbox_scan_end(p.scan)) == 0)
		rc = out(&p, SV("\n")); /* the empty line is no part of the mail: the scanner has swallowed it */
	if (rc == 0)
		rc = flush(&p);
	if (rc < 0 && why.cls == ERR_NONE)
		err_set(&why, ERR_BUG, "%s: the mail cannot be made one of an mbox file", path);
	if (rc < 0)
		*e = why;
	*total = p.total;
	buf_free(&b);
	buf_free(&p.out);
	free(p.scan);
	return rc < 0 ? -1 : 0;
}
