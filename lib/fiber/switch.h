/*
 * lib/fiber/switch.h - change from one stack to another; private to lib/fiber.
 *
 * Layer:     fiber (no loop).
 * Ownership: the caller owns struct context and its stack.
 *
 * On x86_64 the switch is a dozen instructions; elsewhere, and where the kernel keeps a shadow stack for
 * this process, it is swapcontext(3). AddressSanitizer is told of every switch.
 */
#ifndef FIBER_SWITCH_H
#define FIBER_SWITCH_H

#include <stddef.h>

#include <ucontext.h>

struct context {
	void *sp;
	ucontext_t *uc;      /* only where swapcontext does the work */
	void *fake;          /* AddressSanitizer's shadow of the stack */
	const void *base;    /* lowest usable octet and size of the stack, for AddressSanitizer */
	size_t size;
};

/* Prepare CTX: the first switch to it calls ENTRY() on the stack BASE..BASE+SIZE. ENTRY never returns. */
void context_make(struct context *ctx, void *base, size_t size, void (*entry)(void));
/* The stack that the program was started on. */
void context_make_main(struct context *ctx);
void context_free(struct context *ctx);
/* Leave FROM for TO; returns when somebody switches to FROM. LAST: FROM is never entered again. */
void context_switch(struct context *from, struct context *to, int last);
/* First thing on a new stack: tells AddressSanitizer. */
void context_entered(struct context *self, struct context *from);

#endif
