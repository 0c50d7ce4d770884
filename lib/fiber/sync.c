/* Events, semaphores and channels: lists of parked fibers. One thread, so nothing needs a lock. */
#include "lib/base/buf.h"
#include "lib/fiber/loop.h"

struct fiber_event {
	bool set;
	struct list waiters;
};

struct fiber_sem {
	unsigned count;
	struct list waiters;
};

struct fiber_chan {
	struct list senders, receivers;
	size_t capacity, count, first;
	bool closed;
	void *items[];
};

/* Waits end before they begin for who was cancelled, unless he is shielded. */
static bool must_unwind(void)
{
	const struct fiber *f = fiber_self();
	return f && f->cancelled && !f->shielded;
}

struct fiber_event *fiber_event_new(void)
{
	struct fiber_event *ev = mem_alloc(sizeof(*ev));
	list_init(&ev->waiters);
	return ev;
}

void fiber_event_free(struct fiber_event *ev)
{
	if (!ev)
		return;
	loop_wake_all(&ev->waiters, -1);
	free(ev);
}

void fiber_event_set(struct fiber_event *ev)
{
	ev->set = true;
	loop_wake_all(&ev->waiters, 1);
}

void fiber_event_clear(struct fiber_event *ev)
{
	ev->set = false;
}

int fiber_event_wait(struct fiber_event *ev, int64_t deadline)
{
	if (must_unwind())
		return -1;
	return ev->set ? 1 : loop_park(&ev->waiters, deadline);
}

struct fiber_sem *fiber_sem_new(unsigned count)
{
	struct fiber_sem *s = mem_alloc(sizeof(*s));
	s->count = count;
	list_init(&s->waiters);
	return s;
}

void fiber_sem_free(struct fiber_sem *s)
{
	if (!s)
		return;
	loop_wake_all(&s->waiters, -1);
	free(s);
}

/* A unit given while somebody waits is handed over, first come first served: nobody can overtake. */
int fiber_sem_take(struct fiber_sem *s, int64_t deadline)
{
	if (must_unwind())
		return -1;
	if (s->count > 0) {
		s->count--;
		return 1;
	}
	return loop_park(&s->waiters, deadline);
}

void fiber_sem_give(struct fiber_sem *s)
{
	if (!loop_wake_one(&s->waiters, 1))
		s->count++;
}

struct fiber_chan *fiber_chan_new(size_t capacity)
{
	if (capacity == 0)
		capacity = 1;
	struct fiber_chan *c = mem_alloc(sizeof(*c) + capacity * sizeof(void *));
	c->capacity = capacity;
	list_init(&c->senders);
	list_init(&c->receivers);
	return c;
}

void fiber_chan_free(struct fiber_chan *c)
{
	if (!c)
		return;
	fiber_chan_close(c);
	free(c);
}

void fiber_chan_close(struct fiber_chan *c)
{
	c->closed = true;
	loop_wake_all(&c->senders, -1);
	loop_wake_all(&c->receivers, -1);
}

int fiber_chan_send(struct fiber_chan *c, void *item, int64_t deadline)
{
	if (must_unwind())
		return -1;
	/* woken does not mean that the place is still free: whoever ran before may have taken it */
	while (!c->closed && c->count == c->capacity) {
		int rc = loop_park(&c->senders, deadline);
		if (rc != 1)
			return rc;
	}
	if (c->closed)
		return -1;
	c->items[(c->first + c->count++) % c->capacity] = item;
	loop_wake_one(&c->receivers, 1);
	return 1;
}

int fiber_chan_recv(struct fiber_chan *c, void **item, int64_t deadline)
{
	if (must_unwind())
		return -1;
	while (c->count == 0) {
		if (c->closed)
			return -1;
		int rc = loop_park(&c->receivers, deadline);
		if (rc != 1)
			return rc;
	}
	*item = c->items[c->first];
	c->first = (c->first + 1) % c->capacity;
	c->count--;
	loop_wake_one(&c->senders, 1);
	return 1;
}
