#include <errno.h>
#include <string.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/sys.h"
#include "pop3d/pop3d.h"

#define BLOCK (64 * 1024)

/* Write [p, p+n), of which no octet ends a line early and the first needs no stuffing. */
static int put(struct stream *out, const char *p, size_t n)
{
	return n == 0 || stream_write(out, p, n) == 1 ? 0 : -1;
}

/* The end of a line was sent: count it, see whether the header ends here. */
static void line_ended(struct pop3_stuff *st, bool *finished)
{
	if (st->in_body) {
		if (st->lines_left != POP3_ALL_LINES)
			st->lines_left--;
	} else if (!st->field_line) {
		st->in_body = true;
	}
	st->field_line = false;
	if (st->in_body && st->lines_left == 0)
		*finished = true;
}

int pop3_stuff(struct pop3_stuff *st, struct stream *out, struct sv in, bool *finished)
{
	const char *p = in.p, *end = in.p + in.len;

	while (p < end && !*finished) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((lf ? lf : end) - p);

		if (n > 0) {
			if (!st->in_line && *p == '.' && put(out, ".", 1) < 0)
				return -1;
			/* anything but the CR of the line end makes a header line a field */
			if (n > 1 || p[0] != '\r' || st->last_cr)
				st->field_line = true;
			if (put(out, p, n) < 0)
				return -1;
			st->in_line = true;
			st->last_cr = p[n - 1] == '\r';
		}
		if (!lf)
			break;
		if (put(out, st->last_cr ? "\n" : "\r\n", st->last_cr ? 1 : 2) < 0)
			return -1;
		st->in_line = false;
		st->last_cr = false;
		line_ended(st, finished);
		p = lf + 1;
	}
	return 0;
}

/* A read from disk, away from the loop: homes may be slow. */
struct read_job {
	int fd;
	int sys_errno;
	char *p;
	size_t n;
	off_t off;
};

static void run_read(void *rec)
{
	struct read_job *j = rec;

	j->sys_errno = sys_pread_all(j->fd, j->p, j->n, j->off) == 0 ? 0 : errno;
}

static int send_blocks(struct pop3_session *s, const struct store_content *c, uint32_t lines,
        char *block, struct err *e)
{
	struct pop3_stuff st = { .lines_left = lines };
	bool finished = false;
	uint64_t off = 0;

	while (off < c->size && !finished) {
		struct read_job j = {
			.fd = c->fd,
			.p = block,
			.n = c->size - off < BLOCK ? (size_t)(c->size - off) : BLOCK,
			.off = (off_t)off,
		};

		fiber_offload(FIBER_POOL_LOOKUP, run_read, &j);
		if (j.sys_errno)
			return err_sys(e, j.sys_errno, "reading the mail");
		if (pop3_stuff(&st, s->out, sv_n(block, j.n), &finished) < 0)
			return err_set(e, ERR_TEMP, "the client does not read");
		off += j.n;
	}
	s->retrieved_octets += off;
	if (st.in_line && stream_puts(s->out, st.last_cr ? "\n" : "\r\n") != 1)
		return err_set(e, ERR_TEMP, "the client does not read");
	return stream_puts(s->out, ".\r\n") == 1 ? 1
	                                         : err_set(e, ERR_TEMP, "the client does not read");
}

enum pop3_sent pop3_send(struct pop3_session *s, size_t index, uint32_t lines, struct err *e)
{
	struct store_content c;
	int rc = store_box_content(s->drop.box, index, &c, e);

	if (rc == 0)
		err_set(e, ERR_TEMP, "message %zu is gone", index + 1);
	if (rc != 1)
		return POP3_NO_MAIL;
	if (lines == POP3_ALL_LINES)
		stream_printf(s->out, "+OK %llu octets\r\n", (unsigned long long)c.vsize);
	else
		stream_puts(s->out, "+OK\r\n");
	char *block = mem_alloc(BLOCK);

	rc = send_blocks(s, &c, lines, block, e);
	free(block);
	sys_close(c.fd);
	return rc == 1 ? POP3_SENT : POP3_BROKEN;
}
