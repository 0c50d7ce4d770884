#include "lib/fiber/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/sys.h"

#define READ_MIN     2048
#define READ_MAX     (64 * 1024)
#define WRITE_MIN    2048
#define WRITE_MAX    (32 * 1024)
#define WRITE_MS     (300 * 1000)
#define UNREAD_MAX   (64 * 1024)
#define LINE_CEILING (1024 * 1024) /* whatever a caller asks for */

/* octets [start, end) of P are waiting */
struct side {
	char *p;
	size_t start, end, cap;
	uint64_t total;
};

struct stream {
	const struct stream_ops *ops; /* NULL: the socket FD itself */
	void *ctx;
	int fd;
	int failed; /* enum stream_error that is final, or 1 */
	bool write_failed;
	int err;
	bool drained; /* the last read took all there was: wait before the next one */
	struct side in, out;
	int64_t write_ms;
};

/* --- the socket --------------------------------------------------------------------------------- */

static int wait_ready(struct stream *s, int events, int64_t deadline)
{
	int rc = fiber_wait_fd(s->fd, events, deadline);
	return rc == 1 ? 1 : rc == 0 ? STREAM_TIMEOUT : STREAM_CANCELLED;
}

/* A read that took less than it could emptied the socket: the next one waits first. After a full one
 * there may be more: it asks first. */
static ssize_t socket_read(struct stream *s, void *p, size_t n, int64_t deadline)
{
	for (bool wait = s->drained;; wait = true) {
		int rc = wait ? wait_ready(s, FIBER_READ, deadline) : 1;
		if (rc < 0)
			return rc;
		ssize_t got = sys_read(s->fd, p, n);
		s->drained = got < (ssize_t)n;
		if (got >= 0)
			return got;
		if (errno != EAGAIN) {
			s->err = errno;
			return STREAM_ERR;
		}
	}
}

/* The socket mostly has room: ask first, wait after. */
static ssize_t socket_write(struct stream *s, const void *p, size_t n, int64_t deadline)
{
	for (;;) {
		ssize_t put = sys_write(s->fd, p, n);
		if (put >= 0)
			return put;
		if (errno != EAGAIN) {
			s->err = errno;
			return STREAM_ERR;
		}
		int rc = wait_ready(s, FIBER_WRITE, deadline);
		if (rc < 0)
			return rc;
	}
}

static struct stream *make(void)
{
	struct stream *s = mem_alloc(sizeof(*s));
	s->fd = -1;
	s->failed = 1;
	s->write_ms = WRITE_MS;
	return s;
}

struct stream *stream_new(int fd)
{
	struct stream *s = make();
	s->fd = fd;
	int flags = fcntl(fd, F_GETFL);
	if (flags >= 0 && !(flags & O_NONBLOCK))
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	return s;
}

struct stream *stream_new_ops(const struct stream_ops *ops, void *ctx)
{
	struct stream *s = make();
	s->ops = ops;
	s->ctx = ctx;
	return s;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	if (s->ops)
		s->ops->free(s->ctx);
	else
		fiber_close(s->fd);
	free(s->in.p);
	free(s->out.p);
	free(s);
}

void stream_wipe(struct stream *s)
{
	if (!s->in.p)
		return;
	explicit_bzero(s->in.p, s->in.start);
	explicit_bzero(s->in.p + s->in.end, s->in.cap - s->in.end);
}

int stream_fd(const struct stream *s)
{
	return s->fd;
}

int stream_errno(const struct stream *s)
{
	return s->err;
}

struct sv stream_buffered(const struct stream *s)
{
	return s->in.p ? sv_n(s->in.p + s->in.start, s->in.end - s->in.start) : SV_NONE;
}

int stream_detach(struct stream *s, struct sv *unread)
{
	int fd = s->fd;
	*unread = stream_buffered(s);
	if (fd >= 0)
		fiber_forget_fd(fd);
	s->fd = -1;
	s->failed = STREAM_EOF;
	return fd;
}

/* --- reading ------------------------------------------------------------------------------------ */

/* Make room for WANT octets in all, counted from the first unread one. */
static void room(struct side *b, size_t want, size_t least)
{
	if (b->start == b->end)
		b->start = b->end = 0;
	if (b->cap - b->start >= want && b->end < b->cap)
		return;
	if (b->start > 0) {
		memmove(b->p, b->p + b->start, b->end - b->start);
		b->end -= b->start;
		b->start = 0;
	}
	size_t cap = b->cap ? b->cap : least;
	while (cap < want || b->end == cap)
		cap *= 2;
	if (cap != b->cap) {
		b->p = mem_realloc(b->p, cap);
		b->cap = cap;
	}
}

/* Read once, behind what is there. > 0, or the final result. */
static ssize_t fill(struct stream *s, size_t want, int64_t deadline)
{
	if (s->failed != 1)
		return s->failed;
	/* a bulk transfer filled the buffer last time: give it a larger one */
	bool bulk = s->in.end == s->in.cap && s->in.cap > 0 && s->in.cap < READ_MAX;
	room(&s->in, bulk && want < s->in.cap * 2 ? s->in.cap * 2 : want, READ_MIN);
	char *at = s->in.p + s->in.end;
	size_t n = s->in.cap - s->in.end;
	ssize_t got = s->ops ? s->ops->read(s->ctx, at, n, deadline) : socket_read(s, at, n, deadline);
	if (got > 0) {
		s->in.end += (size_t)got;
		s->in.total += (uint64_t)got;
	} else {
		s->failed = (int)got;
	}
	return got;
}

int stream_unread(struct stream *s, struct sv octets)
{
	size_t have = s->in.end - s->in.start;
	if (octets.len > UNREAD_MAX)
		return -1;
	if (octets.len == 0)
		return 0;
	char *p = mem_alloc(have + octets.len);
	memcpy(p, octets.p, octets.len);
	if (have > 0)
		memcpy(p + octets.len, s->in.p + s->in.start, have);
	free(s->in.p);
	s->in.p = p;
	s->in.start = 0;
	s->in.end = s->in.cap = have + octets.len;
	return 0;
}

int stream_line(struct stream *s, size_t limit, struct sv *line, bool *had_cr, int64_t deadline)
{
	size_t seen = 0;
	if (limit > LINE_CEILING)
		limit = LINE_CEILING;
	for (;;) {
		struct sv have = stream_buffered(s);
		const char *lf = have.len > seen ? memchr(have.p + seen, '\n', have.len - seen) : NULL;
		size_t len = lf ? (size_t)(lf - have.p) + 1 : have.len;
		if (len > limit || (!lf && len == limit))
			return STREAM_TOO_LONG;
		if (lf) {
			bool cr = len >= 2 && lf[-1] == '\r';
			*line = sv_n(have.p, len - (cr ? 2 : 1));
			if (had_cr)
				*had_cr = cr;
			stream_consume(s, len);
			return 1;
		}
		seen = have.len;
		ssize_t rc = fill(s, seen + 1, deadline);
		if (rc <= 0)
			return (int)rc;
	}
}

int stream_discard_line(struct stream *s, size_t limit, int64_t deadline)
{
	for (;;) {
		struct sv have = stream_buffered(s);
		ptrdiff_t lf = sv_chr(have, '\n');
		size_t len = lf >= 0 ? (size_t)lf + 1 : have.len;
		stream_consume(s, len);
		if (lf >= 0)
			return 1;
		if (len >= limit)
			return STREAM_TOO_LONG;
		limit -= len;
		ssize_t rc = fill(s, 1, deadline);
		if (rc <= 0)
			return (int)rc;
	}
}

ssize_t stream_peek(struct stream *s, struct sv *octets, int64_t deadline)
{
	if (s->in.start == s->in.end) {
		ssize_t rc = fill(s, 1, deadline);
		if (rc <= 0)
			return rc;
	}
	*octets = stream_buffered(s);
	return (ssize_t)octets->len;
}

/* The octets stay where they are: views into them live until the next read. */
void stream_consume(struct stream *s, size_t n)
{
	size_t have = s->in.end - s->in.start;
	s->in.start += n < have ? n : have;
}

int stream_read_all(struct stream *s, void *p, size_t n, int64_t deadline)
{
	char *at = p;
	while (n > 0) {
		struct sv have;
		ssize_t rc = stream_peek(s, &have, deadline);
		if (rc <= 0)
			return (int)rc;
		size_t take = have.len < n ? have.len : n;
		memcpy(at, have.p, take);
		stream_consume(s, take);
		at += take;
		n -= take;
	}
	return 1;
}

/* --- writing ------------------------------------------------------------------------------------ */

void stream_write_timeout(struct stream *s, int64_t ms)
{
	s->write_ms = ms;
}

static int put_out(struct stream *s, const char *p, size_t n)
{
	int64_t deadline = fiber_deadline(s->write_ms);
	while (n > 0) {
		ssize_t w = s->ops ? s->ops->write(s->ctx, p, n, deadline) : socket_write(s, p, n, deadline);
		if (w < 0) {
			s->failed = (int)w;
			s->write_failed = true;
			return s->failed;
		}
		p += w;
		n -= (size_t)w;
		s->out.total += (uint64_t)w;
	}
	return 1;
}

/* That no more input comes is no reason not to answer: a peer may have closed its half only, and one
 * that was silent for too long, or whose fiber was cancelled, is told so. */
static bool can_write(const struct stream *s)
{
	if (s->failed == STREAM_EOF || s->failed == STREAM_TIMEOUT || s->failed == STREAM_CANCELLED)
		return !s->write_failed && (s->fd >= 0 || s->ops);
	return s->failed == 1;
}

int stream_flush(struct stream *s)
{
	if (!can_write(s))
		return s->failed;
	int rc = put_out(s, s->out.p + s->out.start, s->out.end - s->out.start);
	s->out.start = s->out.end = 0;
	return rc;
}

int stream_write(struct stream *s, const void *p, size_t n)
{
	if (!can_write(s))
		return s->failed;
	if (s->out.end + n > WRITE_MAX) {
		int rc = stream_flush(s);
		if (rc != 1)
			return rc;
		if (n >= WRITE_MAX)
			return put_out(s, p, n);
	}
	if (n == 0)
		return 1;
	if (s->out.end + n > s->out.cap) {
		size_t cap = s->out.cap ? s->out.cap : WRITE_MIN;
		while (cap < s->out.end + n)
			cap *= 2;
		s->out.p = mem_realloc(s->out.p, cap);
		s->out.cap = cap;
	}
	memcpy(s->out.p + s->out.end, p, n);
	s->out.end += n;
	return 1;
}

int stream_puts(struct stream *s, const char *z)
{
	return stream_write(s, z, strlen(z));
}

int stream_put_sv(struct stream *s, struct sv v)
{
	return stream_write(s, v.p, v.len);
}

int stream_printf(struct stream *s, const char *fmt, ...)
{
	char small[1024];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		return STREAM_ERR;
	if ((size_t)n < sizeof(small))
		return stream_write(s, small, (size_t)n);
	char *large = mem_alloc((size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(large, (size_t)n + 1, fmt, ap);
	va_end(ap);
	int rc = stream_write(s, large, (size_t)n);
	free(large);
	return rc;
}

enum stream_peer stream_peer(const struct stream *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLRDHUP };
	if (s->fd < 0 || poll(&p, 1, 0) <= 0)
		return STREAM_PEER_OPEN;
	if (p.revents & (POLLHUP | POLLERR | POLLNVAL))
		return STREAM_PEER_GONE;
	return p.revents & POLLRDHUP ? STREAM_PEER_SILENT : STREAM_PEER_OPEN;
}

uint64_t stream_octets_in(const struct stream *s)
{
	return s->in.total;
}

uint64_t stream_octets_out(const struct stream *s)
{
	return s->out.total;
}
