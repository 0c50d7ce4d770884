/*
 * Blocking calls in threads. A fiber parks, shielded from cancels; a thread of its pool runs the job; all
 * jobs that finished since the loop last looked come back with one wake-up.
 */
#include <pthread.h>
#include <signal.h>

#include "lib/base/buf.h"
#include "lib/fiber/loop.h"
#include "lib/sys/log.h"

#define POOLS          2
#define THREADS_MAX    64
#define THREADS_NORMAL 4
#define THREAD_STACK   (1024 * 1024)

struct job {
	void (*fn)(void *rec);
	void *rec;
	struct fiber *fiber;
	struct job *next;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job *first, **last;
	unsigned max, threads, idle, queued;
	pthread_t ids[THREADS_MAX];
	bool closing;
};

static struct {
	struct pool pools[POOLS];
	uv_async_t wake;
	pthread_mutex_t lock; /* of done */
	struct job *done;
} offload = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

static void finish(struct job *j)
{
	pthread_mutex_lock(&offload.lock);
	bool first = offload.done == NULL;
	j->next = offload.done;
	offload.done = j;
	pthread_mutex_unlock(&offload.lock);
	if (first)
		uv_async_send(&offload.wake);
}

static void *worker(void *arg)
{
	struct pool *p = arg;
	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->first && !p->closing) {
			p->idle++;
			pthread_cond_wait(&p->work, &p->lock);
			p->idle--;
		}
		struct job *j = p->first;
		if (!j)
			break;
		p->first = j->next;
		if (!p->first)
			p->last = &p->first;
		p->queued--;
		pthread_mutex_unlock(&p->lock);
		j->fn(j->rec);
		finish(j);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void on_done(uv_async_t *h)
{
	(void)h;
	pthread_mutex_lock(&offload.lock);
	struct job *j = offload.done;
	offload.done = NULL;
	pthread_mutex_unlock(&offload.lock);
	while (j) {
		struct job *next = j->next; /* the job lies on the stack of the fiber that wakes */
		loop_wake(j->fiber, 1);
		j = next;
	}
}

/* All signals are the first thread's. */
static bool start_thread(struct pool *p)
{
	sigset_t all, old;
	pthread_attr_t attr;
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&p->ids[p->threads], &attr, worker, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		log_warn("no thread for blocking work: %s", strerror(rc));
		return false;
	}
	p->threads++;
	return true;
}

/* True when a thread will run J. */
static bool submit(struct pool *p, struct job *j)
{
	pthread_mutex_lock(&p->lock);
	unsigned max = p->max ? p->max : THREADS_NORMAL;
	/* a thread that was signalled counts as idle until it runs: compare with all that wait for one */
	if (p->queued >= p->idle && p->threads < max)
		start_thread(p);
	bool runs = p->threads > 0;
	if (runs) {
		j->next = NULL;
		*p->last = j;
		p->last = &j->next;
		p->queued++;
	}
	pthread_mutex_unlock(&p->lock);
	if (runs) /* not under the lock: who wakes would only run into it */
		pthread_cond_signal(&p->work);
	return runs;
}

void fiber_offload(enum fiber_pool pool, void (*fn)(void *rec), void *rec)
{
	struct fiber *f = fiber_self();
	struct job j = { .fn = fn, .rec = rec, .fiber = f };
	if (!f || !submit(&offload.pools[pool], &j)) {
		fn(rec);
		return;
	}
	bool before = f->shielded;
	f->shielded = true;
	loop_park(NULL, FIBER_FOREVER);
	f->shielded = before;
}

void fiber_pool_size(enum fiber_pool pool, unsigned threads)
{
	offload.pools[pool].max = threads < 1 ? 1 : threads > THREADS_MAX ? THREADS_MAX : threads;
}

int offload_open(struct loop *l)
{
	for (int i = 0; i < POOLS; i++) {
		struct pool *p = &offload.pools[i];
		pthread_mutex_init(&p->lock, NULL);
		pthread_cond_init(&p->work, NULL);
		p->first = NULL;
		p->last = &p->first;
		p->threads = p->idle = p->queued = 0;
		p->closing = false;
	}
	return uv_async_init(&l->uv, &offload.wake, on_done);
}

void offload_close(void)
{
	for (int i = 0; i < POOLS; i++) {
		struct pool *p = &offload.pools[i];
		pthread_mutex_lock(&p->lock);
		p->closing = true;
		pthread_cond_broadcast(&p->work);
		pthread_mutex_unlock(&p->lock);
		for (unsigned t = 0; t < p->threads; t++)
			pthread_join(p->ids[t], NULL);
		pthread_cond_destroy(&p->work);
		pthread_mutex_destroy(&p->lock);
	}
}
