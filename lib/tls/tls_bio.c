#include "lib/tls/tls_bio.h"

#include <errno.h>

#include "lib/fiber/fiber.h"
#include "lib/fiber/stream.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#define OUT_MAX (1u << 20) /* one call writes 64 kB of data and what a handshake needs at most */

void tls_wire_init(struct tls_wire *w, int fd)
{
	*w = (struct tls_wire){ .fd = fd };
	buf_init(&w->out, OUT_MAX);
}

void tls_wire_fini(struct tls_wire *w)
{
	buf_free(&w->out);
	if (w->fd >= 0)
		fiber_close(w->fd);
	w->fd = -1;
}

int tls_wire_flush(struct tls_wire *w, int64_t deadline)
{
	size_t at = 0;
	while (at < w->out.len) {
		ssize_t n = sys_write(w->fd, w->out.p + at, w->out.len - at);
		if (n >= 0) {
			at += (size_t)n;
			continue;
		}
		if (errno != EAGAIN) {
			w->err = errno;
			return STREAM_ERR;
		}
		int rc = fiber_wait_fd(w->fd, FIBER_WRITE, deadline);
		if (rc != 1)
			return rc == 0 ? STREAM_TIMEOUT : STREAM_CANCELLED;
	}
	buf_free(&w->out);
	return 1;
}

void tls_wire_try_flush(struct tls_wire *w)
{
	if (w->out.len && sys_write(w->fd, w->out.p, w->out.len) < 0)
		w->err = errno;
	buf_free(&w->out);
}

static int bio_read(BIO *b, char *p, size_t n, size_t *got)
{
	struct tls_wire *w = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	*got = 0;
	if (w->eof)
		return 0;
	if (n > w->budget)
		n = w->budget;
	ssize_t r = -1;
	errno = EAGAIN;
	if (n > 0)
		r = sys_read(w->fd, p, n);
	if (r > 0) {
		*got = (size_t)r;
		w->budget -= (size_t)r;
		w->total_in += (uint64_t)r;
		return 1;
	}
	if (r == 0)
		w->eof = true;
	else if (errno == EAGAIN)
		BIO_set_retry_read(b);
	else
		w->err = errno;
	return 0;
}

static int bio_write(BIO *b, const char *p, size_t n, size_t *put)
{
	struct tls_wire *w = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	if (buf_put(&w->out, p, n) < 0)
		log_bug("more TLS records than one call can make");
	*put = n;
	return 1;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	const struct tls_wire *w = BIO_get_data(b);
	(void)num;
	(void)ptr;
	switch (cmd) {
	case BIO_CTRL_FLUSH: return 1; /* tls_wire_flush() does it, where it may wait */
	case BIO_CTRL_EOF: return w->eof;
	default: return 0;
	}
}

static int bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

BIO_METHOD *tls_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "merpati socket");
	if (!m || !BIO_meth_set_read_ex(m, bio_read) || !BIO_meth_set_write_ex(m, bio_write) ||
		!BIO_meth_set_ctrl(m, bio_ctrl) || !BIO_meth_set_create(m, bio_create))
		log_fatal(75, "no memory for OpenSSL");
	return m;
}

BIO *tls_bio_new(BIO_METHOD *m, struct tls_wire *w)
{
	BIO *b = BIO_new(m);
	if (b)
		BIO_set_data(b, w);
	return b;
}
