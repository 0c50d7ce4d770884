/*
 * lib/fiber/stream.h - buffered octet streams for fibers: sockets now, TLS and deflate as filters.
 *
 * Layer:     fiber.
 * Ownership: stream_new() takes the fd; stream_free() closes it.
 * Errors:    reads: >0 octets, 0 end of stream; negative enum stream_error. An error or time-out is
 *            final: every later call returns the same.
 * Security:  buffers have ceilings; a line longer than the caller's limit is STREAM_TOO_LONG
 *            (the rest of it can be discarded, bounded, by stream_discard_line()).
 */
#ifndef FIBER_STREAM_H
#define FIBER_STREAM_H

#include "lib/base/buf.h"

struct stream;

enum stream_error {
	STREAM_EOF = 0,
	STREAM_ERR = -1,      /* see stream_errno() */
	STREAM_TIMEOUT = -2,
	STREAM_CANCELLED = -3,
	STREAM_TOO_LONG = -4, /* not final */
};

/* A filter or transport below a stream. Both wait at most until DEADLINE; results as above. */
struct stream_ops {
	ssize_t (*read)(void *ctx, void *p, size_t n, int64_t deadline);
	ssize_t (*write)(void *ctx, const void *p, size_t n, int64_t deadline);
	void (*free)(void *ctx);
};

struct stream *stream_new(int fd);
struct stream *stream_new_ops(const struct stream_ops *ops, void *ctx);
void stream_free(struct stream *s);
/* Overwrite what was read and consumed: it may have held a password. */
void stream_wipe(struct stream *s);
int stream_fd(const struct stream *s);      /* -1 for stacked ones */
int stream_errno(const struct stream *s);
/* Take the fd away, with the octets that were read but not consumed (views until the next call). */
int stream_detach(struct stream *s, struct sv *unread);
/* Put octets in front of what is read next (buffered input of a handed-over session). 0 or -1. */
int stream_unread(struct stream *s, struct sv octets);

/* One line without its LF or CRLF, at most LIMIT octets with it; the view lives until the next read.
 * 1 line; else enum stream_error. *HAD_CR (may be NULL) tells CRLF from bare LF. */
int stream_line(struct stream *s, size_t limit, struct sv *line, bool *had_cr, int64_t deadline);
/* Drop input up to the next LF, at most LIMIT octets. 1, or an error (STREAM_TOO_LONG: limit). */
int stream_discard_line(struct stream *s, size_t limit, int64_t deadline);
/* At least one octet; a view into the buffer, then stream_consume() what was used. */
ssize_t stream_peek(struct stream *s, struct sv *octets, int64_t deadline);
void stream_consume(struct stream *s, size_t n);
/* What is in the read buffer already, without waiting. */
struct sv stream_buffered(const struct stream *s);
/* Exactly N octets into P. 1 or an error. */
int stream_read_all(struct stream *s, void *p, size_t n, int64_t deadline);

/* Writes are buffered; a full buffer flushes itself under the deadline set here. */
void stream_write_timeout(struct stream *s, int64_t ms);
int stream_write(struct stream *s, const void *p, size_t n);  /* 1 or an error */
int stream_puts(struct stream *s, const char *z);
int stream_put_sv(struct stream *s, struct sv v);
int stream_printf(struct stream *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
int stream_flush(struct stream *s);

/* What is known of the peer without reading; input that waits does not hide it. Stacked: OPEN. */
enum stream_peer {
	STREAM_PEER_OPEN,
	STREAM_PEER_SILENT, /* it sends no more; whether it still reads shows only when it is written to */
	STREAM_PEER_GONE,   /* closed both ways, or reset */
};
enum stream_peer stream_peer(const struct stream *s);
uint64_t stream_octets_in(const struct stream *s);
uint64_t stream_octets_out(const struct stream *s);

#endif
