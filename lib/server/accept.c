/* Connections: accepted while there is a place, each served by a fiber of its own. */
#include <errno.h>

#include "lib/server/server_private.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#define BATCH         8  /* accepts a turn: nobody waits long behind a burst */
#define ARENA_CEILING (16u << 20)
#define TROUBLE_MS    1000 /* out of descriptors: do not spin */

struct live {
	struct list_node link;
	struct server_conn conn;
	struct arena arena;
	struct fiber *fiber;
	bool idle;
};

static void set_full(struct server *s)
{
	bool full = s->active >= s->client_limit || s->retired || s->stop != SERVER_RUNS;
	if (full == s->full)
		return;
	s->full = full;
	if (full)
		fiber_event_clear(s->room);
	else
		fiber_event_set(s->room);
	control_load(s);
}

static void serve(void *arg)
{
	struct live *l = arg;
	struct server *s = l->conn.server;
	s->def->serve(&l->conn);
	list_remove(&s->conns, &l->link);
	arena_free(&l->arena);
	free(l);
	s->active--;
	s->last_busy = clock_mono_ms();
	set_full(s);
	fiber_event_set(s->changed);
}

static void start(struct server *s, const struct server_listener *from, int fd)
{
	struct live *l = mem_alloc(sizeof(*l));
	arena_init(&l->arena, s->def->arena_ceiling ? s->def->arena_ceiling : ARENA_CEILING);
	l->conn = (struct server_conn){ .server = s, .fd = fd, .service = from->service,
		.listener = from->class, .arena = &l->arena, .state = s->state };
	l->fiber = fiber_spawn(s->def->name, s->def->stack, serve, l);
	if (!l->fiber) {
		sys_close(fd);
		arena_free(&l->arena);
		free(l);
		return;
	}
	list_push(&s->conns, &l->link);
	s->active++;
	s->served++;
	s->last_busy = clock_mono_ms();
	/* Postfix counts the uses of a process that has one place; ours has client_limit of them */
	if (!s->def->singleton && s->core.max_use > 0 &&
		s->served >= (uint64_t)s->core.max_use * s->client_limit)
		s->retired = true;
	set_full(s);
	if (s->served == 1 && !s->full) /* else it was told just now */
		control_load(s);
	fiber_event_set(s->changed);
}

static bool stopped(const struct server *s)
{
	return s->retired || s->stop != SERVER_RUNS || fiber_cancelled();
}

/* True: there may be more to accept. */
static bool accept_one(struct server *s, const struct server_listener *l, bool *trouble)
{
	int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		start(s, l, fd);
		return true;
	}
	*trouble = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
	if (*trouble)
		log_warn("accept on %s: %s", l->service, strerror(errno));
	/* a client that left before it was accepted is no reason to wait */
	return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
}

struct acceptor {
	struct server *server;
	const struct server_listener *listener;
};

static void accept_loop(void *arg)
{
	struct acceptor a = *(struct acceptor *)arg;
	struct server *s = a.server;
	free(arg);
	while (!stopped(s)) {
		/* what this process cannot serve stays in the queue, for others */
		if (fiber_event_wait(s->room, FIBER_FOREVER) != 1)
			break;
		if (fiber_wait_fd(a.listener->fd, FIBER_READ, FIBER_FOREVER) != 1)
			break;
		bool trouble = false;
		for (int n = 0; n < BATCH && s->active < s->client_limit && !stopped(s); n++)
			if (!accept_one(s, a.listener, &trouble))
				break;
		if (trouble)
			fiber_sleep(TROUBLE_MS);
		else
			fiber_yield();
	}
	fiber_close(a.listener->fd);
}

int accept_start(struct server *s, struct err *e)
{
	if (!s->def->serve)
		return 0;
	for (size_t i = 0; i < s->args.nlisteners; i++) {
		struct acceptor *a = mem_alloc(sizeof(*a));
		*a = (struct acceptor){ s, &s->args.listeners[i] };
		struct fiber *f = fiber_spawn("accept", 0, accept_loop, a);
		if (!f) {
			free(a);
			return err_set(e, ERR_TEMP, "no memory for the accept fiber");
		}
		fiber_hold(f);
		s->acceptors[s->nacceptors++] = f;
	}
	return 0;
}

void accept_end(struct server *s)
{
	for (size_t i = 0; i < s->nacceptors; i++) {
		fiber_cancel(s->acceptors[i]);
		fiber_release(s->acceptors[i]);
	}
	s->nacceptors = 0;
	set_full(s);
}

void accept_cancel_all(struct server *s)
{
	LIST_FOREACH(n, &s->conns)
		fiber_cancel(CONTAINER_OF(n, struct live, link)->fiber);
}

/* A person's or a host's session: a reload is no reason to end it, only the end of reload_grace is. */
static bool stays(const struct server *s, const struct live *l)
{
	return s->stop != SERVER_ENDS && strcmp(l->conn.listener, "inet") == 0;
}

void accept_cancel_idle(struct server *s)
{
	LIST_FOREACH(n, &s->conns) {
		struct live *l = CONTAINER_OF(n, struct live, link);
		if (l->idle && !stays(s, l))
			fiber_cancel(l->fiber);
	}
}

void server_conn_idle(struct server_conn *c, bool idle)
{
	CONTAINER_OF(c, struct live, conn)->idle = idle;
}
