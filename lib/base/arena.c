#include <stdarg.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"

#define ARENA_ALIGN 16
#define ARENA_BLOCK 4096

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	_Alignas(ARENA_ALIGN) char data[];
};

void arena_init(struct arena *a, size_t ceiling)
{
	*a = (struct arena){ .ceiling = ceiling };
}

void arena_free(struct arena *a)
{
	while (a->head) {
		struct arena_block *next = a->head->next;
		free(a->head);
		a->head = next;
	}
	arena_init(a, a->ceiling);
}

void arena_reset(struct arena *a)
{
	struct arena_block *keep = a->head;
	if (!keep)
		return;
	a->head = keep->next;
	arena_free(a);
	if (keep->size > ARENA_BLOCK) {
		free(keep);
		return;
	}
	keep->next = NULL;
	keep->used = 0;
	a->head = keep;
}

void *arena_alloc(struct arena *a, size_t n)
{
	size_t want = n ? n : 1;
	if (want > SIZE_MAX - ARENA_ALIGN || (want = (want + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1),
		    want > a->ceiling || a->used > a->ceiling - want)) {
		a->exhausted = true;
		return NULL;
	}
	struct arena_block *b = a->head;
	if (!b || b->size - b->used < want) {
		size_t size = want > ARENA_BLOCK ? want : ARENA_BLOCK;
		b = mem_alloc(sizeof(*b) + size);
		b->size = size;
		b->next = a->head;
		a->head = b;
	}
	void *p = b->data + b->used;
	b->used += want;
	a->used += want;
	memset(p, 0, want);
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t n;
	if (__builtin_mul_overflow(count, size, &n)) {
		a->exhausted = true;
		return NULL;
	}
	return arena_alloc(a, n);
}

char *arena_strdup(struct arena *a, struct sv s)
{
	char *z = s.len < SIZE_MAX ? arena_alloc(a, s.len + 1) : NULL;
	if (z && s.len)
		memcpy(z, s.p, s.len);
	return z;
}

struct sv arena_sv(struct arena *a, struct sv s)
{
	char *z = arena_strdup(a, s);
	return (struct sv){ .p = z, .len = z ? s.len : 0 };
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	char *z = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (z)
		vsnprintf(z, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return z;
}
