#include "lib/clnt/clnt_maillock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "lib/wire/maillock_frame.h"

#define ANSWER_MS 15000 /* it asks auth, which may ask a slow name service */

struct held {
	struct list_node node;
	char name[MAILLOCK_NAME_MAX + 1];
	int fd;
};

struct clnt_maillock {
	pthread_mutex_t mutex; /* of all below; with a fixed connection also of each exchange on it */
	char *socket;          /* NULL: a fixed connection */
	int fixed;             /* -1: broken */
	struct list held;
};

/* --- one connection ----------------------------------------------------------------------------- */

int clnt_maillock_connect(const char *path, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	if ((size_t)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path) >= sizeof(sa.sun_path))
		return err_set(e, ERR_CONFIG, "the name of the socket %s is too long", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, errno, "socket");
	const struct timeval patience = { .tv_sec = ANSWER_MS / 1000 };
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0 &&
	        sys_connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	err_sys(e, errno, "maillock: connect to %s", path);
	sys_close(fd);
	return -1;
}

static int put_all(int fd, const unsigned char *p, size_t n)
{
	while (n > 0) {
		struct iovec v = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };
		const struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
		ssize_t done = sys_sendmsg(fd, &m, MSG_NOSIGNAL);
		if (done <= 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int get_all(int fd, unsigned char *p, size_t n)
{
	int64_t end = clock_mono_ms() + ANSWER_MS;
	while (n > 0) {
		struct pollfd f = { .fd = fd, .events = POLLIN };
		int64_t left = end - clock_mono_ms();
		int rc = left > 0 ? poll(&f, 1, (int)clock_real_ms(left)) : 0;
		if (rc < 0 && errno == EINTR)
			continue;
		if (rc <= 0) {
			errno = rc == 0 ? ETIMEDOUT : errno;
			return -1;
		}
		ssize_t done = sys_read(fd, p, n);
		if (done <= 0) {
			errno = done == 0 ? ECONNRESET : errno;
			return -1;
		}
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* 1 *A is its answer; 0 the connection is of no use any more (E). */
static int exchange(int fd, const struct maillock_request *r, struct maillock_answer *a, struct err *e)
{
	unsigned char request[MAILLOCK_REQUEST_LEN], answer[MAILLOCK_ANSWER_LEN];
	if (maillock_request_put(r, request) < 0)
		return err_set(e, ERR_CONFIG, "maillock: \"%s\" cannot be the name of a mailbox", r->name);
	if (put_all(fd, request, sizeof(request)) < 0 || get_all(fd, answer, sizeof(answer)) < 0) {
		err_sys(e, errno, "maillock");
		return 0;
	}
	if (maillock_answer_get(answer, a) == 1)
		return 1;
	err_set(e, ERR_BUG, "maillock: an answer that is none");
	return 0;
}

static int verdict(const struct maillock_request *r, const struct maillock_answer *a, struct err *e)
{
	switch (a->status) {
	case MAILLOCK_DONE: return 1;
	case MAILLOCK_BUSY: return 0;
	case MAILLOCK_REFUSED:
		return err_set(e, ERR_CONFIG, "maillock refuses the mailbox \"%s\": its log says why", r->name);
	case MAILLOCK_TROUBLE: return err_sys(e, a->sys_errno, "maillock: mailbox \"%s\"", r->name);
	}
	return err_set(e, ERR_BUG, "maillock: status %d", (int)a->status);
}

/* 0, or -1: longer than any name may be. */
static int request(struct maillock_request *r, enum maillock_op op, const char *name, struct err *e)
{
	*r = (struct maillock_request){ .op = op };
	if ((size_t)snprintf(r->name, sizeof(r->name), "%s", name) < sizeof(r->name))
		return 0;
	return err_set(e, ERR_CONFIG, "maillock: the name of the mailbox %.100s... is too long", name);
}

/* --- the context -------------------------------------------------------------------------------- */

static struct clnt_maillock *new_context(void)
{
	struct clnt_maillock *c = mem_alloc(sizeof(*c));
	(void)pthread_mutex_init(&c->mutex, NULL);
	list_init(&c->held);
	c->fixed = -1;
	return c;
}

struct clnt_maillock *clnt_maillock_new(const char *path)
{
	struct clnt_maillock *c = new_context();
	c->socket = mem_strdup(path);
	return c;
}

struct clnt_maillock *clnt_maillock_new_fixed(int fd)
{
	struct clnt_maillock *c = new_context();
	c->fixed = fd;
	return c;
}

void clnt_maillock_free(struct clnt_maillock *c)
{
	if (!c)
		return;
	struct list_node *n;
	while ((n = list_pop(&c->held))) {
		struct held *h = CONTAINER_OF(n, struct held, node);
		if (c->socket)
			sys_close(h->fd);
		free(h);
	}
	if (c->fixed >= 0)
		sys_close(c->fixed);
	(void)pthread_mutex_destroy(&c->mutex);
	free(c->socket);
	free(c);
}

static struct held *find(const struct clnt_maillock *c, const char *name)
{
	LIST_FOREACH(n, &c->held) {
		struct held *h = CONTAINER_OF(n, struct held, node);
		if (strcmp(h->name, name) == 0)
			return h;
	}
	return NULL;
}

/* On the fixed connection. 1, 0, -1. The mutex is held. */
static int ask_fixed(struct clnt_maillock *c, const struct maillock_request *r, struct err *e)
{
	struct maillock_answer a;
	if (c->fixed < 0)
		return err_set(e, ERR_TEMP, "maillock has gone: this process locks no mailbox any more");
	int rc = exchange(c->fixed, r, &a, e);
	if (rc == 1)
		return verdict(r, &a, e);
	if (rc == 0) {
		sys_close(c->fixed);
		c->fixed = -1;
	}
	return -1;
}

/* On *FD; where that connection broke, maillock may have been started anew: once more on another one. */
static int ask_again(struct clnt_maillock *c, int *fd, const struct maillock_request *r, struct err *e)
{
	struct maillock_answer a;
	for (int tries = 0; tries < 2; tries++) {
		if (*fd < 0 && (*fd = clnt_maillock_connect(c->socket, e)) < 0)
			return -1;
		int rc = exchange(*fd, r, &a, e);
		if (rc == 1)
			return verdict(r, &a, e);
		if (rc < 0)
			return -1;
		sys_close(*fd);
		*fd = -1;
	}
	return -1;
}

static int ask(struct clnt_maillock *c, int *fd, const struct maillock_request *r, struct err *e)
{
	return c->socket ? ask_again(c, fd, r, e) : ask_fixed(c, r, e);
}

int clnt_maillock_lock(void *context, const char *name, struct err *e)
{
	struct clnt_maillock *c = context;
	struct maillock_request r;
	if (request(&r, MAILLOCK_LOCK, name, e) < 0)
		return -1;
	pthread_mutex_lock(&c->mutex);
	/* maillock tells processes apart, not the threads of one; a fixed connection holds one lock */
	if (find(c, name) || (!c->socket && c->held.count > 0)) {
		pthread_mutex_unlock(&c->mutex);
		return 0;
	}
	struct held *h = mem_alloc(sizeof(*h));
	memcpy(h->name, r.name, sizeof(h->name));
	h->fd = -1;
	list_push(&c->held, &h->node);
	if (c->socket) /* the place is taken: others go on meanwhile */
		pthread_mutex_unlock(&c->mutex);
	int rc = ask(c, &h->fd, &r, e);
	if (c->socket)
		pthread_mutex_lock(&c->mutex);
	if (rc != 1) {
		list_remove(&c->held, &h->node);
		if (h->fd >= 0)
			sys_close(h->fd);
		free(h);
	}
	pthread_mutex_unlock(&c->mutex);
	return rc;
}

/* For who holds the lock: its connection is nobody else's. */
static int ask_held(struct clnt_maillock *c, struct held *h, const struct maillock_request *r, struct err *e)
{
	if (c->socket)
		return ask(c, &h->fd, r, e);
	pthread_mutex_lock(&c->mutex);
	int rc = ask(c, &h->fd, r, e);
	pthread_mutex_unlock(&c->mutex);
	return rc;
}

static struct held *find_held(struct clnt_maillock *c, const char *name)
{
	pthread_mutex_lock(&c->mutex);
	struct held *h = find(c, name);
	pthread_mutex_unlock(&c->mutex);
	return h;
}

void clnt_maillock_unlock(void *context, const char *name)
{
	struct clnt_maillock *c = context;
	struct maillock_request r;
	struct err e = ERR_INIT;
	struct held *h = find_held(c, name);
	if (!h)
		return;
	if (request(&r, MAILLOCK_UNLOCK, name, &e) < 0 || ask_held(c, h, &r, &e) < 0)
		log_warn("a lock of mailbox \"%s\" may stay until this process ends: %s", name, e.text);
	pthread_mutex_lock(&c->mutex);
	list_remove(&c->held, &h->node);
	if (h->fd >= 0)
		sys_close(h->fd);
	free(h);
	pthread_mutex_unlock(&c->mutex);
}

/* What needs no lock. */
static int ask_once(struct clnt_maillock *c, const struct maillock_request *r, struct err *e)
{
	int fd = -1;
	if (!c->socket)
		pthread_mutex_lock(&c->mutex);
	int rc = ask(c, &fd, r, e);
	if (!c->socket)
		pthread_mutex_unlock(&c->mutex);
	if (fd >= 0)
		sys_close(fd);
	return rc;
}

int clnt_maillock_make(void *context, const char *name, struct err *e)
{
	struct maillock_request r;
	if (request(&r, MAILLOCK_MAKE, name, e) < 0)
		return -1;
	int rc = ask_once(context, &r, e);
	return rc == 0 ? err_set(e, ERR_TEMP, "maillock: mailbox \"%s\" is busy", name) : rc;
}

int clnt_maillock_note(void *context, const char *name, const uint64_t *numbers, struct err *e)
{
	struct clnt_maillock *c = context;
	struct maillock_request r;
	struct held *h = find_held(c, name);
	if (request(&r, numbers ? MAILLOCK_NOTE : MAILLOCK_FORGET, name, e) < 0)
		return -1;
	for (size_t i = 0; numbers && i < MAILLOCK_NUMBERS; i++)
		r.number[i] = numbers[i];
	int rc = h ? ask_held(c, h, &r, e) : ask_once(c, &r, e);
	return rc == 0 ? err_set(e, ERR_TEMP, "maillock: the lock of mailbox \"%s\" was lost", name) : rc;
}
