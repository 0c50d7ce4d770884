/* Stacks of fibers: mapped with a guard page below, kept for the next fiber of the same size. */
#include <sys/mman.h>

#include "lib/fiber/loop.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#define STACK_FACTOR 6 /* redzones make frames larger */
#else
#define STACK_FACTOR 1
#endif

/* Valgrind takes a jump to another stack for a very large frame unless it knows that stack. */
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define KNOW_STACK(low, size) VALGRIND_STACK_REGISTER((low), (low) + (size))
#define FORGET_STACK(id)      VALGRIND_STACK_DEREGISTER(id)
#endif
#endif
#ifndef KNOW_STACK
#define KNOW_STACK(low, size) 0u
#define FORGET_STACK(id)      (void)(id)
#endif

#define PAGE       4096
#define CACHED_MAX 64
#define STACK_MIN  (16 * 1024)
#define STACK_MAX  (64 * 1024 * 1024)

static struct {
	struct stack free[CACHED_MAX];
	size_t count;
} cache;

static char *stack_base(const struct stack *s)
{
	return s->map + PAGE;
}

int stack_get(struct stack *s, size_t size, void **base, size_t *usable)
{
	if (size < STACK_MIN)
		size = STACK_MIN;
	if (size > STACK_MAX)
		size = STACK_MAX;
	size = (size * STACK_FACTOR + PAGE - 1) / PAGE * PAGE + PAGE;
	for (size_t i = cache.count; i-- > 0;) {
		if (cache.free[i].map_size == size) {
			*s = cache.free[i];
			cache.free[i] = cache.free[--cache.count];
			*base = stack_base(s);
			*usable = size - PAGE;
			return 0;
		}
	}
	int kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, kind, -1, 0);
	if (map == MAP_FAILED)
		return -1;
	if (mprotect(map, PAGE, PROT_NONE) < 0) {
		munmap(map, size);
		return -1;
	}
	s->map = map;
	s->map_size = size;
	s->valgrind_id = (unsigned)KNOW_STACK(stack_base(s), size - PAGE);
	*base = stack_base(s);
	*usable = size - PAGE;
#ifdef WITH_ASAN
	__lsan_register_root_region(*base, *usable);
#endif
	return 0;
}

static void stack_unmap(struct stack *s)
{
#ifdef WITH_ASAN
	__lsan_unregister_root_region(stack_base(s), s->map_size - PAGE);
#endif
	FORGET_STACK(s->valgrind_id);
	munmap(s->map, s->map_size);
	s->map = NULL;
}

void stack_put(struct stack *s)
{
#ifdef WITH_ASAN
	/* frames that never returned left their redzones poisoned */
	__asan_unpoison_memory_region(stack_base(s), s->map_size - PAGE);
#endif
	if (cache.count == CACHED_MAX) {
		stack_unmap(s);
		return;
	}
	cache.free[cache.count++] = *s;
	s->map = NULL;
}

/* Give the pages below SP back; 512 octets below it stay (the ABI's red zone is 128). */
void stack_trim(const struct stack *s, const void *sp)
{
	char *base = stack_base(s);
	uintptr_t low = (uintptr_t)base, top = (uintptr_t)sp;
	if (top < low + 2 * PAGE || top > low + s->map_size)
		return;
	top = (top - 512) / PAGE * PAGE;
	if (top > low)
		(void)madvise(base, top - low, MADV_DONTNEED);
}

void stack_cache_drop(void)
{
	while (cache.count > 0)
		stack_unmap(&cache.free[--cache.count]);
}
