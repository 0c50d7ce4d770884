#include <errno.h>
#include <sys/socket.h>

#include "lib/base/list.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/ipc.h"
#include "lib/sys/clock.h"

#define IDLE_MS 5000   /* an unused connection occupies a place at the service */
#define TTL_MS  100000 /* and an old one binds us to a process of an old generation */

struct pooled {
	struct list_node link; /* in pool.idle, the longest unused first */
	struct ipc_conn *conn;
	int64_t born, used;
};

struct ipc_pool {
	char *endpoint;
	ipc_dial_fn dial;
	void *ctx;
	struct fiber_sem *places;
	struct list idle, busy;
	struct fiber *reaper; /* while something is idle */
	unsigned refs;        /* owner, reaper, connections that are out */
	bool closed, keep;
	uint32_t next_id;
};

struct ipc_pool *ipc_pool_new(const char *endpoint, unsigned max, ipc_dial_fn dial, void *ctx)
{
	struct ipc_pool *p = mem_alloc(sizeof(*p));
	p->endpoint = mem_strdup(endpoint);
	p->dial = dial;
	p->ctx = ctx;
	p->places = fiber_sem_new(max ? max : 1);
	p->refs = 1;
	list_init(&p->idle);
	list_init(&p->busy);
	return p;
}

void ipc_pool_keep(struct ipc_pool *p)
{
	p->keep = true;
}

static void unref(struct ipc_pool *p)
{
	if (--p->refs > 0)
		return;
	fiber_sem_free(p->places);
	free(p->endpoint);
	free(p);
}

static void drop(struct list *in, struct pooled *c)
{
	list_remove(in, &c->link);
	ipc_conn_free(c->conn);
	free(c);
}

static void drop_idle(struct ipc_pool *p, int64_t unused_since)
{
	for (struct list_node *n; (n = list_first(&p->idle)) != NULL;) {
		struct pooled *c = CONTAINER_OF(n, struct pooled, link);
		if (c->used > unused_since)
			break;
		drop(&p->idle, c);
	}
}

void ipc_pool_free(struct ipc_pool *p)
{
	if (!p)
		return;
	p->closed = true;
	drop_idle(p, INT64_MAX);
	if (p->reaper)
		fiber_cancel(p->reaper);
	unref(p);
}

static void reap(void *arg)
{
	struct ipc_pool *p = arg;
	while (!list_empty(&p->idle) && fiber_sleep(IDLE_MS) == 1)
		drop_idle(p, clock_mono_ms() - IDLE_MS);
	p->reaper = NULL;
	unref(p);
}

/* Nothing may be there to read on an idle connection: an end means that the service closed it. */
static bool still_good(const struct pooled *c)
{
	char octet;
	return recv(ipc_conn_fd(c->conn), &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       (errno == EAGAIN || errno == EINTR);
}

/* LOOK: a dialogue cannot be repeated, so its connection is looked at first; a call can. */
static struct pooled *take_idle(struct ipc_pool *p, bool look)
{
	while (!list_empty(&p->idle)) {
		/* the one used last: the others may then grow old */
		struct pooled *c = CONTAINER_OF(p->idle.head.prev, struct pooled, link);
		if ((!look || still_good(c)) && (p->keep || c->born + TTL_MS > clock_mono_ms())) {
			list_remove(&p->idle, &c->link);
			return c;
		}
		drop(&p->idle, c);
	}
	return NULL;
}

enum want { WANT_CALL, WANT_DIALOGUE, WANT_FRESH };

static struct pooled *get(struct ipc_pool *p, enum want want, bool *reused, int64_t deadline, struct err *e)
{
	int rc = fiber_sem_take(p->places, deadline);
	if (rc != 1) {
		err_sys(e, rc == 0 ? ETIMEDOUT : ECANCELED, "service %s", p->endpoint);
		return NULL;
	}
	struct pooled *c = want == WANT_FRESH ? NULL : take_idle(p, want == WANT_DIALOGUE);
	*reused = c != NULL;
	if (!c) {
		int fd = p->dial(p->ctx, p->endpoint, deadline, e);
		if (fd < 0) {
			err_prefix(e, "service %s", p->endpoint);
			fiber_sem_give(p->places);
			return NULL;
		}
		c = mem_alloc(sizeof(*c));
		c->conn = ipc_conn_new(fd);
		c->born = clock_mono_ms();
	}
	list_push(&p->busy, &c->link);
	p->refs++;
	return c;
}

struct ipc_conn *ipc_pool_get(struct ipc_pool *p, int64_t deadline, struct err *e)
{
	bool reused;
	struct pooled *c = get(p, WANT_DIALOGUE, &reused, deadline, e);
	return c ? c->conn : NULL;
}

static void put(struct ipc_pool *p, struct pooled *c, bool good)
{
	fiber_sem_give(p->places);
	if (!good || p->closed || ipc_uncork(c->conn, fiber_deadline(0), NULL) < 0) {
		drop(&p->busy, c);
		unref(p);
		return;
	}
	list_remove(&p->busy, &c->link);
	c->used = clock_mono_ms();
	list_push(&p->idle, &c->link);
	p->refs--; /* never the last: the owner has not freed it */
	if (p->reaper || p->keep || !fiber_self())
		return;
	p->reaper = fiber_spawn("ipc_pool", 0, reap, p);
	if (p->reaper)
		p->refs++;
}

void ipc_pool_put(struct ipc_pool *p, struct ipc_conn *conn, bool good)
{
	if (!conn)
		return;
	LIST_FOREACH(n, &p->busy) {
		struct pooled *c = CONTAINER_OF(n, struct pooled, link);
		if (c->conn == conn) {
			put(p, c, good);
			return;
		}
	}
}

/* The reply outlives the connection's buffer. */
static int keep_reply(struct ipc_frame *f, struct arena *a, struct ipc_frame *out, struct err *e)
{
	struct sv body = arena_sv(a, f->body);
	if (!body.p)
		return err_set(e, ERR_TEMP, "reply too large");
	*out = *f;
	out->body = body;
	out->conn = NULL;
	for (unsigned i = 0; i < f->nfds; i++)
		out->fds[i] = ipc_take_fd(f, i);
	return 1;
}

/* 1, -1, or 0: the peer closed before it answered. */
static int exchange(struct ipc_conn *c, const struct ipc_frame *q, struct arena *a, struct ipc_frame *reply,
	int64_t deadline, struct err *e)
{
	struct ipc_frame f;
	struct err why = ERR_INIT;
	int rc = ipc_send(c, q->protocol, q->version, q->type, q->request_id, q->body, NULL, 0, deadline,
		&why);
	if (rc == 1)
		rc = ipc_recv(c, &f, deadline, &why);
	if (rc == 0 || (rc < 0 && (why.sys_errno == EPIPE || why.sys_errno == ECONNRESET))) {
		err_set(e, ERR_TEMP, "closed before it answered");
		return 0;
	}
	if (rc < 0) {
		if (e)
			*e = why;
		return -1;
	}
	if (f.protocol != q->protocol || f.version != q->version || f.request_id != q->request_id)
		return err_set(e, ERR_TEMP, "answer of another protocol, or to another request");
	return keep_reply(&f, a, reply, e);
}

int ipc_call(struct ipc_pool *p, uint16_t protocol, uint8_t version, uint16_t type, struct sv body,
	struct arena *a, struct ipc_frame *reply, int64_t deadline, struct err *e)
{
	struct ipc_frame q = { .protocol = protocol, .version = version, .type = type, .body = body };
	for (int attempt = 0;; attempt++) {
		bool reused;
		struct pooled *c = get(p, attempt > 0 ? WANT_FRESH : WANT_CALL, &reused, deadline, e);
		if (!c)
			return -1;
		q.request_id = ++p->next_id;
		int rc = exchange(c->conn, &q, a, reply, deadline, e);
		put(p, c, rc == 1);
		if (rc == 1)
			return 1;
		if (rc < 0 || !reused || attempt > 0)
			return err_prefix(e, "service %s", p->endpoint);
	}
}
