/*
 * lib/base/buf.h - growing octet buffers with a ceiling set where they are made.
 *
 * Layer:     base (pure; allocates).
 * Ownership: buf_init() .. buf_free(); views from buf_sv() live until the next change.
 * Errors:    reaching the ceiling makes the put fail and sets .overflow, which stays set until
 *            buf_reset(): a series of puts is checked once at its end. Heap exhaustion ends the
 *            process (buf_die), as everywhere.
 * Security:  MAX is mandatory: no input grows memory without a limit.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "lib/base/sv.h"

struct buf {
	char *p; /* always NUL-terminated when not NULL; the NUL is not counted */
	size_t len;
	size_t cap;
	size_t max;
	bool overflow;
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);
void buf_reset(struct buf *b); /* empty, storage kept */

/* 0, or -1 when the ceiling would be passed (nothing is added then). */
int buf_put(struct buf *b, const void *p, size_t n);
int buf_putc(struct buf *b, char c);
int buf_puts(struct buf *b, const char *z);
int buf_put_sv(struct buf *b, struct sv s);
int buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* Room for N more octets at the returned pointer, to be counted by buf_added(); NULL at the ceiling. */
char *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);
/* Drop N octets from the front. */
void buf_consume(struct buf *b, size_t n);
void buf_truncate(struct buf *b, size_t len);

struct sv buf_sv(const struct buf *b);
const char *buf_z(const struct buf *b); /* never NULL */
/* The storage becomes the caller's (free()); the buffer is empty again. Never NULL. */
char *buf_steal(struct buf *b);

/* malloc and friends that end the process when the heap is exhausted. */
MUST_USE void *mem_alloc(size_t n);  /* zeroed */
MUST_USE void *mem_array(size_t count, size_t size); /* zeroed; overflow checked */
MUST_USE void *mem_realloc(void *p, size_t n);
MUST_USE char *mem_strdup(const char *z);
MUST_USE char *mem_svdup(struct sv s); /* NUL-terminated copy */

#endif
