#include "lib/queue/queue_mail.h"

#include <errno.h>
#include <sys/file.h>

#include "lib/base/num.h"
#include "lib/sys/clock.h"
#include "lib/sys/sys.h"

enum { CURSOR_BUF = 2 * QUEUE_RCPT_MAX, CHECK_BUF = 64 * 1024 };

static int refuse(struct err *e, enum queue_file_status status, const char *why)
{
	err_set(e, status == QUEUE_FILE_UNKNOWN ? ERR_CONFIG : ERR_PERM, "%s", why);
	return (int)status;
}

static int read_header(struct queue_mail *m, struct err *e)
{
	struct stat st;
	unsigned char raw[QUEUE_HEADER_SIZE] = { 0 };
	if (sys_fstat(m->fd, &st) < 0)
		return err_sys(e, errno, "stat of a queue file");
	if (!S_ISREG(st.st_mode))
		return refuse(e, QUEUE_FILE_CORRUPT, "not a regular file");
	m->file_size = (uint64_t)st.st_size;
	if (m->file_size < QUEUE_HEADER_SIZE)
		return refuse(e, QUEUE_FILE_INCOMPLETE, "shorter than a header");
	if (sys_pread_all(m->fd, raw, sizeof(raw), 0) < 0)
		return err_sys(e, errno, "read of a queue file");
	enum queue_file_status s = queue_header_decode(raw, m->file_size, &m->h);
	switch (s) {
	case QUEUE_FILE_OK: return QUEUE_FILE_OK;
	case QUEUE_FILE_INCOMPLETE: return refuse(e, s, "never finished (no header)");
	case QUEUE_FILE_UNKNOWN: return refuse(e, s, "written by another version of merpati");
	case QUEUE_FILE_CORRUPT: break;
	}
	return refuse(e, QUEUE_FILE_CORRUPT, "header is damaged or contradicts the file's size");
}

static int read_facts(struct queue_mail *m, struct err *e)
{
	size_t n = (size_t)(m->h.rcpt_offset - m->h.envelope_offset);
	char *p = arena_alloc(&m->arena, n + 1);
	if (!p)
		return err_set(e, ERR_TEMP, "queue file: no memory for %zu octets of facts", n);
	if (sys_pread_all(m->fd, p, n, (off_t)m->h.envelope_offset) < 0)
		return err_sys(e, errno, "read of a queue file");
	if (queue_facts_decode(sv_n(p, n), &m->facts) < 0)
		return refuse(e, QUEUE_FILE_CORRUPT, "facts of the envelope are damaged");
	char end[QUEUE_END_SIZE];
	if (sys_pread_all(m->fd, end, sizeof(end), (off_t)(m->file_size - sizeof(end))) < 0)
		return err_sys(e, errno, "read of a queue file");
	if (queue_end_check(sv_n(end, sizeof(end)), &m->h) < 0)
		return refuse(e, QUEUE_FILE_CORRUPT, "end record is damaged");
	return QUEUE_FILE_OK;
}

int queue_mail_open(struct queue_mail *m, int fd, struct err *e)
{
	memset(m, 0, sizeof(*m));
	m->fd = fd;
	int rc = read_header(m, e);
	if (rc != QUEUE_FILE_OK)
		return rc;
	arena_init(&m->arena, 2 * QUEUE_FACTS_MAX);
	rc = read_facts(m, e);
	if (rc != QUEUE_FILE_OK)
		arena_free(&m->arena);
	return rc;
}

void queue_mail_close(struct queue_mail *m)
{
	arena_free(&m->arena);
	m->fd = -1;
}

/* CRC of [from, from + n) of the file. 0 or -1. */
static int crc_range(int fd, uint64_t from, uint64_t n, uint32_t *crc)
{
	char *buf = mem_alloc(CHECK_BUF);
	int rc = 0;
	while (n > 0 && rc == 0) {
		size_t part = n < CHECK_BUF ? (size_t)n : CHECK_BUF;
		rc = sys_pread_all(fd, buf, part, (off_t)from);
		if (rc == 0)
			*crc = num_crc32c(*crc, buf, part);
		from += part;
		n -= part;
	}
	int saved = errno;
	free(buf);
	errno = saved;
	return rc;
}

int queue_mail_check_content(const struct queue_mail *m, struct err *e)
{
	uint32_t crc = 0;
	if (crc_range(m->fd, m->h.content_offset, m->h.content_size, &crc) < 0)
		return err_sys(e, errno, "read of a queue file");
	if (crc != m->h.content_crc)
		return refuse(e, QUEUE_FILE_CORRUPT, "content does not fit its checksum");
	return QUEUE_FILE_OK;
}

int queue_mail_check_envelope(const struct queue_mail *m, struct err *e)
{
	uint32_t crc = 0, count = 0;
	if (crc_range(m->fd, m->h.envelope_offset, m->h.rcpt_offset - m->h.envelope_offset, &crc) < 0)
		return err_sys(e, errno, "read of a queue file");
	struct queue_rcpt_cursor c;
	struct queue_rcpt r;
	struct err why = ERR_INIT;
	int rc;
	queue_rcpt_start(&c, m, 0);
	while ((rc = queue_rcpt_next(&c, &r, &why)) == 1) {
		/* the record stands whole in the cursor's buffer */
		const char *rec = c.buf + (r.offset - c.buf_offset);
		size_t n = (size_t)(c.at - r.offset);
		static const char zero_cell = 0;
		crc = num_crc32c(crc, rec, 1);
		crc = num_crc32c(crc, &zero_cell, 1);
		crc = num_crc32c(crc, rec + 2, n - 2);
		count++;
	}
	queue_rcpt_end(&c);
	if (rc < 0) {
		err_set(e, why.cls, "%s", why.text);
		return why.cls == ERR_PERM ? (int)QUEUE_FILE_CORRUPT : -1;
	}
	if (count != m->h.rcpt_count)
		return refuse(e, QUEUE_FILE_CORRUPT, "number of recipients differs from the header's");
	if (crc != m->h.envelope_crc)
		return refuse(e, QUEUE_FILE_CORRUPT, "envelope does not fit its checksum");
	return QUEUE_FILE_OK;
}

/* --- recipients ---------------------------------------------------------------------------------- */

void queue_rcpt_start(struct queue_rcpt_cursor *c, const struct queue_mail *m, uint64_t offset)
{
	*c = (struct queue_rcpt_cursor){ .m = m, .at = offset ? offset : m->h.rcpt_offset };
}

void queue_rcpt_end(struct queue_rcpt_cursor *c)
{
	free(c->buf);
	c->buf = NULL;
	c->buf_len = 0;
}

/* Have a whole record at c->at in the buffer, or all octets before END. */
static int refill(struct queue_rcpt_cursor *c, uint64_t end)
{
	uint64_t left = end - c->at;
	size_t want = left < CURSOR_BUF ? (size_t)left : CURSOR_BUF;
	if (!c->buf)
		c->buf = mem_alloc(CURSOR_BUF);
	c->buf_len = 0;
	if (sys_pread_all(c->m->fd, c->buf, want, (off_t)c->at) < 0)
		return -1;
	c->buf_offset = c->at;
	c->buf_len = want;
	return 0;
}

int queue_rcpt_next(struct queue_rcpt_cursor *c, struct queue_rcpt *r, struct err *e)
{
	uint64_t end = c->m->file_size - QUEUE_END_SIZE;
	if (c->at == end)
		return 0;
	if (c->at < c->m->h.rcpt_offset || c->at > end)
		return err_set(e, ERR_PERM, "queue file: recipient offset out of range");
	for (int attempt = 0; attempt < 2; attempt++) {
		size_t used = 0;
		int rc = 0;
		if (c->buf_len > 0 && c->at >= c->buf_offset && c->at < c->buf_offset + c->buf_len) {
			size_t skip = (size_t)(c->at - c->buf_offset);
			rc = queue_rcpt_decode(sv_n(c->buf + skip, c->buf_len - skip), r, &used);
		}
		if (rc < 0)
			return err_set(e, ERR_PERM, "queue file: recipient record is damaged");
		if (rc == 1) {
			r->offset = c->at;
			c->at += used;
			return 1;
		}
		if (attempt == 0 && refill(c, end) < 0)
			return err_sys(e, errno, "read of a queue file");
	}
	return err_set(e, ERR_PERM, "queue file: recipient record is cut short");
}

int queue_mail_mark(int fd, uint64_t offset, enum queue_cell cell, struct err *e)
{
	unsigned char head[2], octet = (unsigned char)cell;
	if (offset < QUEUE_HEADER_SIZE || offset > INT64_MAX - 1)
		return err_set(e, ERR_BUG, "queue file: no recipient can be at offset %llu",
			(unsigned long long)offset);
	if (sys_pread_all(fd, head, sizeof(head), (off_t)offset) < 0)
		return err_sys(e, errno, "read of a queue file");
	if (head[0] != 'R')
		return err_set(e, ERR_BUG, "queue file: no recipient at offset %llu",
			(unsigned long long)offset);
	if (sys_pwrite_all(fd, &octet, 1, (off_t)offset + QUEUE_CELL_AT) < 0)
		return err_sys(e, errno, "write of a queue file");
	return 0;
}

int queue_mail_settled(int fd, struct err *e)
{
	if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
		(void)flock(fd, LOCK_UN);
		return 1;
	}
	return errno == EWOULDBLOCK ? 0 : err_sys(e, errno, "flock of a queue file");
}

/* No header, and old enough that its writer, if it lived, would have its lock. */
static bool is_leftover(int fd)
{
	struct queue_mail m;
	struct stat st;
	int status = queue_mail_open(&m, fd, NULL);
	if (status == QUEUE_FILE_OK)
		queue_mail_close(&m);
	if (status != QUEUE_FILE_INCOMPLETE || sys_fstat(fd, &st) < 0)
		return false;
	/* one of the future is old as well: the clock was set back since */
	int64_t age = clock_wall_s() - (int64_t)st.st_mtime;
	return age > QUEUE_STALE_S || age < -QUEUE_STALE_S;
}

int queue_remove_leftover(struct queue *q, enum queue_name n, struct sv id, struct err *e)
{
	int fd = -1;
	int rc = queue_open_mail(q, n, id, O_RDONLY, &fd, e);
	if (rc != 1)
		return rc;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		rc = errno == EWOULDBLOCK ? 0 : err_sys(e, errno, "flock of a queue file");
	else
		rc = is_leftover(fd) ? queue_remove(q, n, id, e) : 0;
	sys_close(fd);
	return rc;
}
