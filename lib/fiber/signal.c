#include "lib/base/buf.h"
#include "lib/fiber/loop.h"
#include "lib/sys/log.h"

static void on_signal(uv_signal_t *h, int signum)
{
	struct signal_slot *s = h->data;
	(void)signum;
	s->pending++;
	loop_wake_all(&s->waiters, 1);
}

int fiber_wait_signal(int signum, int64_t deadline)
{
	struct loop *l = loop_get();
	if (signum <= 0 || (size_t)signum >= ARRAY_LEN(l->signals))
		log_bug("signal %d", signum);
	struct signal_slot *s = &l->signals[signum];
	if (!s->handle) {
		uv_signal_t *h = mem_alloc(sizeof(*h));
		list_init(&s->waiters);
		h->data = s;
		s->handle = h;
		int rc = uv_signal_init(&l->uv, h);
		if (rc == 0)
			rc = uv_signal_start(h, on_signal, signum);
		if (rc < 0)
			log_fatal(71, "signal %d: %s", signum, uv_strerror(rc));
	}
	if (s->pending == 0) {
		int rc = loop_park(&s->waiters, deadline);
		if (rc != 1)
			return rc;
	}
	s->pending = 0;
	return 1;
}

static void free_handle(uv_handle_t *h)
{
	free(h);
}

void signal_close_all(struct loop *l)
{
	for (size_t i = 0; i < ARRAY_LEN(l->signals); i++) {
		if (!l->signals[i].handle)
			continue;
		uv_close((uv_handle_t *)l->signals[i].handle, free_handle);
		l->signals[i].handle = NULL;
	}
}
