/*
 * lib/fiber/loop.h - what the parts of the scheduler share; private to lib/fiber.
 *
 * Layer:     fiber (event loop; one loop a process, the one static of this layer).
 * Ownership: a struct fiber is freed when it has ended and nobody holds it.
 *
 * A fiber is RUNNING, READY (in loop.ready or loop.yielded) or PARKED. A parked fiber may stand in the
 * list of what it waits for (fiber.in), in the heap of deadlines, and in loop.idle; loop_wake() takes it
 * out of all three. Nothing else moves a fiber between these states.
 */
#ifndef FIBER_LOOP_H
#define FIBER_LOOP_H

#include <sys/resource.h>

#include <uv.h>

#include "lib/base/list.h"
#include "lib/fiber/fiber.h"
#include "lib/fiber/switch.h"

struct stack {
	char *map; /* guard page, then the stack */
	size_t map_size;
	unsigned valgrind_id;
};

enum fiber_state { FIBER_READY, FIBER_RUNNING, FIBER_PARKED, FIBER_ENDED };

struct fiber {
	struct context ctx;
	struct stack stack;
	const char *name;
	fiber_fn fn;
	void *arg;
	enum fiber_state state;
	int wake;              /* result of the wait that ended */
	unsigned refs;
	bool cancelled, shielded;
	int64_t deadline;
	size_t heap_pos;       /* 1.., 0: not in the heap */
	int64_t parked_ms;     /* real time, coarse */
	struct list_node link; /* in loop.ready, loop.yielded, or *in */
	struct list *in;
	struct list_node idle, all;
	struct list joiners;
};

struct fd_slot {
	uv_poll_t *poll;
	struct fiber *reader, *writer;
	int armed; /* UV_READABLE | UV_WRITABLE as told to the kernel */
};

struct signal_slot {
	uv_signal_t *handle;
	unsigned pending;
	struct list waiters;
};

/* Who runs too long (fiber.c). */
struct watch {
	unsigned measuring; /* turns that are still measured */
	struct rusage before;
	int64_t before_ns;  /* when that was taken; 0: not yet */
	int64_t next_report_ns;
	unsigned more;
};

struct loop {
	uv_loop_t uv;
	uv_timer_t timer;
	int64_t timer_at;      /* real ms for which the timer is armed; INT64_MAX: it is not */
	bool running, stop;
	int code;
	int64_t now_ns;        /* real time when the last fiber stopped running */
	struct fiber *self;
	struct context main;
	struct list ready, yielded, idle, all;
	struct fiber **heap;   /* [1..heap_len], smallest deadline first */
	size_t heap_len, heap_cap;
	struct fd_slot *fds;
	size_t nfds;
	struct signal_slot signals[65];
	struct watch watch;
};

struct loop *loop_get(void); /* the only one; lists initialised */

/*
 * Suspend the running fiber until loop_wake(), the deadline or a cancel; WAITERS (may be NULL) is the
 * list it is put at the end of. Returns what loop_wake() was given, 0 at the deadline, -1 when cancelled.
 */
int loop_park(struct list *waiters, int64_t deadline);
void loop_wake(struct fiber *f, int result);
/* Wake the first, or all, of LIST with RESULT. */
struct fiber *loop_wake_one(struct list *waiters, int result);
void loop_wake_all(struct list *waiters, int result);

/* deadline.c */
void heap_insert(struct loop *l, struct fiber *f);
void heap_remove(struct loop *l, struct fiber *f);

/* stack.c */
MUST_USE int stack_get(struct stack *s, size_t size, void **base, size_t *usable);
void stack_put(struct stack *s);
void stack_trim(const struct stack *s, const void *sp);
void stack_cache_drop(void);

/* fdwait.c, signal.c, offload.c: close what they keep in L when the loop ends */
void fd_close_all(struct loop *l);
void signal_close_all(struct loop *l);
int offload_open(struct loop *l);
void offload_close(void);

#endif
