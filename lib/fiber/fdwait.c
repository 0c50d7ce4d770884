/*
 * Waiting for descriptors. Each one waited for keeps its uv_poll handle, and stays armed, until
 * fiber_forget_fd(): a session that reads, works, writes and waits again costs no epoll_ctl. Only when an
 * event comes that nobody waits for is the handle disarmed; level-triggered epoll tells it again later.
 */
#include <errno.h>
#include <poll.h>

#include "lib/base/buf.h"
#include "lib/fiber/loop.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#define FD_LIMIT      (1 << 20)
#define RETRY_WAIT_MS 10

static short poll_bits(int events)
{
	return (short)((events & FIBER_READ ? POLLIN : 0) | (events & FIBER_WRITE ? POLLOUT : 0));
}

/* For code that runs without a loop (commands, start-up), and for deadlines that are over already. */
static int poll_blocking(int fd, int events, int64_t deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = poll_bits(events) };
		int ms = -1;
		if (deadline != FIBER_FOREVER) {
			int64_t left = clock_real_ms(deadline - clock_mono_ms());
			ms = left <= 0 ? 0 : left > 60000 ? 60000 : (int)left;
		}
		int n = poll(&p, 1, ms);
		if (n > 0)
			return 1;
		if (n < 0 && errno != EINTR)
			return 1; /* the system call that follows tells what is wrong */
		if (n == 0 && deadline != FIBER_FOREVER && clock_mono_ms() >= deadline)
			return 0;
	}
}

static struct fd_slot *slot_of(struct loop *l, int fd)
{
	size_t want = (size_t)fd + 1;
	if (want > l->nfds) {
		size_t n = l->nfds ? l->nfds : 64;
		while (n < want)
			n *= 2;
		l->fds = mem_realloc(l->fds, n * sizeof(*l->fds));
		memset(l->fds + l->nfds, 0, (n - l->nfds) * sizeof(*l->fds));
		l->nfds = n;
	}
	return &l->fds[fd];
}

static void wake_slot(struct fd_slot *s, int result)
{
	struct fiber *r = s->reader, *w = s->writer;
	s->reader = s->writer = NULL;
	if (r)
		loop_wake(r, result);
	if (w && w != r)
		loop_wake(w, result);
}

static void on_event(uv_poll_t *h, int status, int events)
{
	struct loop *l = loop_get();
	struct fd_slot *s = &l->fds[(size_t)(intptr_t)h->data];
	if (status < 0) { /* libuv stopped the handle: POLLERR; reading tells why */
		s->armed = 0;
		wake_slot(s, 1);
		return;
	}
	int unused = 0;
	if (events & UV_READABLE) {
		struct fiber *f = s->reader;
		s->reader = NULL;
		if (!f)
			unused |= UV_READABLE;
		else
			loop_wake(f, 1);
	}
	if (events & UV_WRITABLE) {
		struct fiber *f = s->writer;
		s->writer = NULL;
		if (!f)
			unused |= UV_WRITABLE;
		else
			loop_wake(f, 1);
	}
	if (!(unused & s->armed))
		return;
	s->armed &= ~unused;
	if (s->armed)
		uv_poll_start(h, s->armed, on_event);
	else
		uv_poll_stop(h);
}

/* 1 armed, 0 this kind of descriptor is always ready, -1 the kernel has no room for another one. */
static int arm(struct loop *l, struct fd_slot *s, int fd, int events)
{
	int want = (events & FIBER_READ ? UV_READABLE : 0) | (events & FIBER_WRITE ? UV_WRITABLE : 0);
	if (!s->poll) {
		uv_poll_t *h = mem_alloc(sizeof(*h));
		int rc = uv_poll_init(&l->uv, h, fd);
		if (rc < 0) {
			free(h);
			return rc == UV_ENOSPC || rc == UV_ENOMEM ? -1 : 0;
		}
		h->data = (void *)(intptr_t)fd;
		s->poll = h;
		s->armed = 0;
	}
	if ((s->armed & want) == want)
		return 1;
	if (uv_poll_start(s->poll, s->armed | want, on_event) < 0)
		return 0;
	s->armed |= want;
	return 1;
}

int fiber_wait_fd(int fd, int events, int64_t deadline)
{
	struct loop *l = loop_get();
	struct fiber *f = l->self;
	if (!f)
		return poll_blocking(fd, events, deadline);
	if (f->cancelled && !f->shielded)
		return -1;
	if (fd < 0 || fd > FD_LIMIT)
		return 1; /* the system call that follows fails with EBADF */
	if (deadline != FIBER_FOREVER && deadline <= clock_mono_ms())
		return poll_blocking(fd, events, deadline);
	struct fd_slot *s = slot_of(l, fd);
	if (((events & FIBER_READ) && s->reader) || ((events & FIBER_WRITE) && s->writer))
		log_bug("fibers %s and %s wait for the same descriptor", f->name,
			fiber_name(s->reader ? s->reader : s->writer));
	int armed = arm(l, s, fd, events);
	if (armed < 0)
		return fiber_sleep(RETRY_WAIT_MS);
	if (armed == 0)
		return 1;
	if (events & FIBER_READ)
		s->reader = f;
	if (events & FIBER_WRITE)
		s->writer = f;
	int rc = loop_park(NULL, deadline);
	s = slot_of(l, fd); /* the table may have moved */
	if (s->reader == f)
		s->reader = NULL;
	if (s->writer == f)
		s->writer = NULL;
	return rc;
}

static void free_handle(uv_handle_t *h)
{
	free(h);
}

void fiber_forget_fd(int fd)
{
	struct loop *l = loop_get();
	if (fd < 0 || (size_t)fd >= l->nfds || !l->fds[fd].poll)
		return;
	struct fd_slot *s = &l->fds[fd];
	uv_close((uv_handle_t *)s->poll, free_handle);
	s->poll = NULL;
	s->armed = 0;
	wake_slot(s, 0);
}

void fiber_close(int fd)
{
	if (fd < 0)
		return;
	fiber_forget_fd(fd);
	sys_close(fd);
}

void fd_close_all(struct loop *l)
{
	for (size_t fd = 0; fd < l->nfds; fd++)
		fiber_forget_fd((int)fd);
	free(l->fds);
	l->fds = NULL;
	l->nfds = 0;
}
