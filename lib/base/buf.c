#include "lib/base/buf.h"

static NORETURN void out_of_memory(void)
{
	static const char text[] = "out of memory\n";
	ssize_t unused UNUSED = write(2, text, sizeof(text) - 1);
	_exit(71); /* EX_OSERR */
}

void *mem_alloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);
	if (!p)
		out_of_memory();
	return p;
}

void *mem_array(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);
	if (!p)
		out_of_memory();
	return p;
}

void *mem_realloc(void *old, size_t n)
{
	void *p = realloc(old, n ? n : 1);
	if (!p)
		out_of_memory();
	return p;
}

char *mem_svdup(struct sv s)
{
	char *z = mem_alloc(s.len + 1);
	if (s.len)
		memcpy(z, s.p, s.len);
	return z;
}

char *mem_strdup(const char *z)
{
	return mem_svdup(sv_z(z));
}

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ .max = b->max };
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->overflow = false;
	if (b->p)
		b->p[0] = '\0';
}

char *buf_room(struct buf *b, size_t n)
{
	if (n > b->max || b->len > b->max - n) {
		b->overflow = true;
		return NULL;
	}
	size_t need = b->len + n + 1;
	if (need > b->cap) {
		size_t cap = b->cap < 64 ? 64 : b->cap;
		while (cap < need)
			cap *= 2;
		if (cap > b->max + 1)
			cap = b->max + 1;
		b->p = mem_realloc(b->p, cap);
		b->cap = cap;
	}
	return b->p + b->len;
}

void buf_added(struct buf *b, size_t n)
{
	b->len += n;
	b->p[b->len] = '\0';
}

int buf_put(struct buf *b, const void *p, size_t n)
{
	char *room = buf_room(b, n);
	if (!room)
		return -1;
	if (n)
		memcpy(room, p, n);
	buf_added(b, n);
	return 0;
}

int buf_putc(struct buf *b, char c)
{
	return buf_put(b, &c, 1);
}

int buf_puts(struct buf *b, const char *z)
{
	return buf_put(b, z, strlen(z));
}

int buf_put_sv(struct buf *b, struct sv s)
{
	return buf_put(b, s.p, s.len);
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return -1;
	char *room = buf_room(b, (size_t)n);
	if (!room)
		return -1;
	vsnprintf(room, (size_t)n + 1, fmt, ap);
	buf_added(b, (size_t)n);
	return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int rc = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return rc;
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= b->len) {
		buf_truncate(b, 0);
		return;
	}
	memmove(b->p, b->p + n, b->len - n);
	buf_truncate(b, b->len - n);
}

void buf_truncate(struct buf *b, size_t len)
{
	if (len < b->len || (b->p && len == 0)) {
		b->len = len;
		b->p[len] = '\0';
	}
}

struct sv buf_sv(const struct buf *b)
{
	return sv_n(b->p, b->len);
}

const char *buf_z(const struct buf *b)
{
	return b->p ? b->p : "";
}

char *buf_steal(struct buf *b)
{
	char *p = b->p ? b->p : mem_alloc(1);
	*b = (struct buf){ .max = b->max };
	return p;
}
