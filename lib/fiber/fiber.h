/*
 * lib/fiber/fiber.h - fibers: sessions that read from top to bottom, in one thread over libuv.
 *
 * Layer:     fiber (event loop).
 * Ownership: the scheduler owns fibers; a struct fiber pointer is valid until the fiber has ended,
 *            or, when fiber_hold() was called, until fiber_release().
 * Errors:    every wait returns 1 (what was waited for), 0 (deadline reached) or -1 (cancelled:
 *            unwind and return). After a cancel every further wait returns -1 at once.
 *
 * Deadlines are absolute monotonic milliseconds (clock_mono_ms() scale), made by fiber_deadline();
 * there is no wait without one. One loop a process: fiber_main() runs it.
 */
#ifndef FIBER_FIBER_H
#define FIBER_FIBER_H

#include "lib/base/attr.h"

struct fiber;
typedef void (*fiber_fn)(void *arg);

#define FIBER_STACK_DEFAULT (128 * 1024)
#define FIBER_FOREVER       INT64_MAX /* only for a daemon's own service loops, never for a peer */

/* Run the loop with FN as the first fiber until fiber_stop(); returns the code given there. */
int fiber_main(fiber_fn fn, void *arg);
void fiber_stop(int code);

/* Start FN(ARG) soon. NAME (static text) shows in the watchdog's lines. Stack in octets, 0 = default.
 * NULL when no stack can be mapped: refuse that session, go on. */
MUST_USE struct fiber *fiber_spawn(const char *name, size_t stack, fiber_fn fn, void *arg);
struct fiber *fiber_self(void);
const char *fiber_name(const struct fiber *f);
size_t fiber_count(void);

int64_t fiber_deadline(int64_t ms_from_now); /* clamps; negative is now */
int fiber_sleep(int64_t ms);                 /* 1 slept, -1 cancelled */
int fiber_yield(void);                       /* let others run; call it in long computations */
/* Ask F to end: its current and all later waits return -1. */
void fiber_cancel(struct fiber *f);
bool fiber_cancelled(void);
/* While ON, waits of the calling fiber do not see a cancel: for the few that must end before it may
 * unwind (another fiber uses its memory). Returns what was set before. */
bool fiber_shield(bool on);
void fiber_hold(struct fiber *f);
void fiber_release(struct fiber *f);
int fiber_join(struct fiber *f, int64_t deadline); /* 1 ended; F must be held */

/* Wait until FD is readable or writable. Level-triggered; one waiter a direction. */
#define FIBER_READ  1
#define FIBER_WRITE 2
int fiber_wait_fd(int fd, int events, int64_t deadline);
/* Forget the cached poll handle: call before close(fd) on every fd that was waited for. */
void fiber_forget_fd(int fd);
/* forget + close */
void fiber_close(int fd);

/* A signal as an event: 1 when it arrived since the last wait. */
int fiber_wait_signal(int signum, int64_t deadline);

/* --- synchronisation ------------------------------------------------------------------------ */
struct fiber_event; /* a latch: set wakes all; stays set until cleared */
struct fiber_event *fiber_event_new(void);
void fiber_event_free(struct fiber_event *ev);
void fiber_event_set(struct fiber_event *ev);
void fiber_event_clear(struct fiber_event *ev);
int fiber_event_wait(struct fiber_event *ev, int64_t deadline);

struct fiber_sem;
struct fiber_sem *fiber_sem_new(unsigned count);
void fiber_sem_free(struct fiber_sem *s);
int fiber_sem_take(struct fiber_sem *s, int64_t deadline);
void fiber_sem_give(struct fiber_sem *s);

struct fiber_chan; /* bounded FIFO of pointers */
struct fiber_chan *fiber_chan_new(size_t capacity);
void fiber_chan_free(struct fiber_chan *c);
int fiber_chan_send(struct fiber_chan *c, void *item, int64_t deadline);
int fiber_chan_recv(struct fiber_chan *c, void **item, int64_t deadline); /* -1 also when closed and empty */
void fiber_chan_close(struct fiber_chan *c);

/* --- blocking work in threads ----------------------------------------------------------------- */
enum fiber_pool { FIBER_POOL_DURABLE, FIBER_POOL_LOOKUP };

/*
 * Run FN(REC) in a thread of POOL and wait for it. It cannot be cancelled: this returns after FN has
 * returned, whatever happens to the fiber meanwhile, so REC may live on the caller's stack.
 * FN must not call fiber functions; log calls are allowed.
 */
void fiber_offload(enum fiber_pool pool, void (*fn)(void *rec), void *rec);
/* Threads a pool may have (default 4); before its first use. */
void fiber_pool_size(enum fiber_pool pool, unsigned threads);

#endif
