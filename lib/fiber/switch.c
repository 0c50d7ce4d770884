#include "lib/fiber/switch.h"

#include "lib/base/buf.h"
#include "lib/sys/log.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>

static void announce(struct context *from, const struct context *to, int last)
{
	__sanitizer_start_switch_fiber(last ? NULL : &from->fake, to->base, to->size);
}

/* The first arrival from the program's own stack tells where that stack is. */
static void arrived(struct context *self, struct context *from)
{
	const void *base = NULL;
	size_t size = 0;
	__sanitizer_finish_switch_fiber(self->fake, &base, &size);
	if (from && from->size == 0) {
		from->base = base;
		from->size = size;
	}
}
#else
static void announce(struct context *from, const struct context *to, int last)
{
	(void)from;
	(void)to;
	(void)last;
}

static void arrived(struct context *self, struct context *from)
{
	(void)self;
	(void)from;
}
#endif

#if defined(__x86_64__) && !defined(__ILP32__) && !defined(FIBER_UCONTEXT)

/* Save what the ABI says a call keeps, swap stack pointers, restore. The stack of a new context holds
 * six such words and the address of its entry. */
void context_switch_x86_64(void **save_sp, void *new_sp);
__asm__(".text\n"
	".globl context_switch_x86_64\n"
	".hidden context_switch_x86_64\n"
	".type context_switch_x86_64,@function\n"
	".align 16\n"
	"context_switch_x86_64:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size context_switch_x86_64,.-context_switch_x86_64\n");

/* A shadow stack would refuse a "ret" into another stack; glibc's swapcontext switches it too. */
static int fast_switch(void)
{
	unsigned long ssp = 0;
	__asm__ volatile("rdsspq %0" : "+r"(ssp));
	return ssp == 0;
}

static void make_fast(struct context *ctx, void *base, size_t size, void (*entry)(void))
{
	/* at entry the ABI wants (sp + 8) % 16 == 0: an unused return address stands above ENTRY */
	void **sp = (void **)(void *)((char *)base + size);
	*--sp = NULL;
	*--sp = (void *)entry;
	for (int i = 0; i < 6; i++)
		*--sp = NULL;
	ctx->sp = sp;
}

static void switch_fast(struct context *from, struct context *to)
{
	context_switch_x86_64(&from->sp, to->sp);
}

#else

static int fast_switch(void)
{
	return 0;
}

static void make_fast(struct context *ctx, void *base, size_t size, void (*entry)(void))
{
	(void)ctx;
	(void)base;
	(void)size;
	(void)entry;
}

static void switch_fast(struct context *from, struct context *to)
{
	(void)from;
	(void)to;
}

#endif

void context_make(struct context *ctx, void *base, size_t size, void (*entry)(void))
{
	memset(ctx, 0, sizeof(*ctx));
	ctx->base = base;
	ctx->size = size;
	if (fast_switch()) {
		make_fast(ctx, base, size, entry);
		return;
	}
	ctx->uc = mem_alloc(sizeof(*ctx->uc));
	if (getcontext(ctx->uc) < 0)
		log_bug("getcontext failed");
	ctx->uc->uc_stack.ss_sp = base;
	ctx->uc->uc_stack.ss_size = size;
	ctx->uc->uc_link = NULL;
	makecontext(ctx->uc, entry, 0);
}

void context_make_main(struct context *ctx)
{
	memset(ctx, 0, sizeof(*ctx));
	if (!fast_switch())
		ctx->uc = mem_alloc(sizeof(*ctx->uc));
}

void context_free(struct context *ctx)
{
	free(ctx->uc);
	ctx->uc = NULL;
}

void context_switch(struct context *from, struct context *to, int last)
{
	announce(from, to, last);
	if (to->uc) {
		if (swapcontext(from->uc, to->uc) < 0)
			log_bug("swapcontext failed");
	} else {
		switch_fast(from, to);
	}
	arrived(from, NULL);
}

void context_entered(struct context *self, struct context *from)
{
	arrived(self, from);
}
