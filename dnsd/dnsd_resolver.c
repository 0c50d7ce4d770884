#include "dnsd/dnsd.h"

#include <ares.h>
#include <netinet/in.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"

/*
 * c-ares sends, repeats, falls back to TCP and compares the source; its sockets are served by one
 * fiber each, its time-outs by one more. The octets of a reply are parsed by lib/wire, not by
 * c-ares, which cannot know that a reply was refused and another server should be asked: so there is a
 * second channel, whose first server is the second one.
 */
#define TRIES        3
#define REPLY_MAX    65535
#define SOCKET_STACK (64 * 1024)
#define TICK_MAX_MS  1000

struct way {
	ares_channel channel; /* NULL before it was made */
	struct list sockets;
};

struct dnsd_resolver {
	struct way ways[DNSD_WAYS];
	size_t asked;                /* questions under way */
	struct fiber_event *started; /* set while asked > 0 */
};

struct resolver_socket {
	struct list_node link;
	struct way *way;
	ares_socket_t fd;
	int events;
	bool gone;
};

/* One question; freed by whoever leaves last, the fiber that asked or the callback. */
struct question {
	struct dnsd_resolver *resolver;
	struct fiber_event *done;
	struct buf reply;
	int status;
	bool answered, left;
};

static void socket_fiber(void *arg)
{
	struct resolver_socket *s = arg;
	while (!s->gone) {
		int events = s->events;
		int rc = fiber_wait_fd(s->fd, events, FIBER_FOREVER);
		if (rc < 0)
			break;
		if (s->gone || rc == 0)
			continue;
		ares_process_fd(s->way->channel, events & FIBER_READ ? s->fd : ARES_SOCKET_BAD,
		        events & FIBER_WRITE ? s->fd : ARES_SOCKET_BAD);
	}
	if (!s->gone)
		list_remove(&s->way->sockets, &s->link);
	free(s);
}

/* c-ares tells which of its sockets it wants to read or write; neither: it closes the socket next.
 */
static void on_socket(void *data, ares_socket_t fd, int readable, int writable)
{
	struct way *w = data;
	int events = (readable ? FIBER_READ : 0) | (writable ? FIBER_WRITE : 0);
	LIST_FOREACH (n, &w->sockets) {
		struct resolver_socket *s = CONTAINER_OF(n, struct resolver_socket, link);
		if (s->fd != fd)
			continue;
		if (events == 0) {
			s->gone = true;
			list_remove(&w->sockets, &s->link);
		}
		if (events != s->events) {
			s->events = events;
			fiber_forget_fd(fd); /* wakes the fiber, which waits anew or ends */
		}
		return;
	}
	if (events == 0)
		return;
	struct resolver_socket *s = mem_alloc(sizeof *s);
	s->way = w;
	s->fd = fd;
	s->events = events;
	list_push(&w->sockets, &s->link);
	if (!fiber_spawn("dns socket", SOCKET_STACK, socket_fiber, s)) {
		log_warn("no memory for a fiber: questions under way will time out");
		list_remove(&w->sockets, &s->link);
		free(s);
	}
}

static void timer_fiber(void *arg)
{
	struct dnsd_resolver *r = arg;
	for (;;) {
		struct timeval max = { .tv_sec = TICK_MAX_MS / 1000 }, tv;
		if (r->asked == 0) {
			fiber_event_clear(r->started);
			if (fiber_event_wait(r->started, FIBER_FOREVER) < 0)
				return;
		}
		int64_t ms = TICK_MAX_MS;
		for (unsigned i = 0; i < DNSD_WAYS; i++) {
			const struct timeval *t = ares_timeout(r->ways[i].channel, &max, &tv);
			int64_t own = (int64_t)t->tv_sec * 1000 + t->tv_usec / 1000 + 1;
			ms = own < ms ? own : ms;
		}
		if (fiber_sleep(ms) < 0)
			return;
		for (unsigned i = 0; i < DNSD_WAYS; i++)
			ares_process_fd(r->ways[i].channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	}
}

/* "192.0.2.1, [::1]:53 ..." in the commas that c-ares reads. */
static int set_servers(struct way *w, const char *servers, struct err *e)
{
	struct buf csv;
	struct sv rest = sv_z(servers);
	buf_init(&csv, 4096);
	while (!sv_empty(rest)) {
		size_t n = 0;
		while (n < rest.len && rest.p[n] != ',' && !ascii_is_blank(rest.p[n]))
			n++;
		if (n > 0) {
			buf_puts(&csv, csv.len ? "," : "");
			buf_put_sv(&csv, sv_upto(rest, n));
		}
		rest = sv_from(rest, n + 1);
	}
	int rc = csv.overflow || csv.len == 0 ? ARES_EBADSTR
	                                      : ares_set_servers_ports_csv(w->channel, buf_z(&csv));
	buf_free(&csv);
	if (rc != ARES_SUCCESS)
		return err_set(e, ERR_CONFIG,
		        "dnsd_servers = %s: a list of addresses is needed, each with an "
		        "optional :port (%s)",
		        servers, ares_strerror(rc));
	return 0;
}

/* The first server becomes the last one. */
static int rotate_servers(struct way *w)
{
	struct ares_addr_port_node *first = NULL;
	int rc = ares_get_servers_ports(w->channel, &first);
	if (rc == ARES_SUCCESS && first && first->next) {
		struct ares_addr_port_node *last = first, *second = first->next;
		while (last->next)
			last = last->next;
		last->next = first;
		first->next = NULL;
		first = second;
		rc = ares_set_servers_ports(w->channel, first);
	}
	ares_free_data(first);
	return rc;
}

static int way_init(struct way *w, unsigned number, const char *servers, long timeout_s, struct err *e)
{
	struct ares_options o = { .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
		                           ARES_FLAG_STAYOPEN,
		.timeout = (int)(timeout_s * 1000 / 4),
		.tries = TRIES,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = w };
	list_init(&w->sockets);
	int rc = ares_init_options(&w->channel, &o,
	        ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
	if (rc != ARES_SUCCESS) {
		w->channel = NULL;
		return err_set(e, ERR_CONFIG, "the resolver cannot be set up: %s", ares_strerror(rc));
	}
	if (servers[0] && set_servers(w, servers, e) < 0)
		return -1;
	rc = number == 0 ? ARES_SUCCESS : rotate_servers(w);
	return rc == ARES_SUCCESS ? 0
	                          : err_set(e, ERR_TEMP, "the resolver's servers: %s", ares_strerror(rc));
}

struct dnsd_resolver *resolver_new(const char *servers, long timeout_s, struct err *e)
{
	struct dnsd_resolver *r = mem_alloc(sizeof *r);
	int rc = ares_library_init(ARES_LIB_INIT_ALL);
	if (rc != ARES_SUCCESS)
		rc = err_set(e, ERR_TEMP, "the resolver cannot be set up: %s", ares_strerror(rc));
	for (unsigned i = 0; rc == 0 && i < DNSD_WAYS; i++)
		rc = way_init(&r->ways[i], i, servers, timeout_s, e);
	if (rc == 0)
		return r;
	for (unsigned i = 0; i < DNSD_WAYS; i++)
		if (r->ways[i].channel)
			ares_destroy(r->ways[i].channel);
	free(r);
	return NULL;
}

int resolver_run(struct dnsd_resolver *r, struct err *e)
{
	r->started = fiber_event_new();
	return fiber_spawn("dns timer", SOCKET_STACK, timer_fiber, r)
	               ? 0
	               : err_set(e, ERR_TEMP, "no memory for a fiber");
}

static void question_free(struct question *q)
{
	fiber_event_free(q->done);
	buf_free(&q->reply);
	free(q);
}

static void on_reply(void *arg, int status, int timeouts, unsigned char *octets, int len)
{
	struct question *q = arg;
	(void)timeouts;
	q->resolver->asked--;
	if (q->left) {
		question_free(q);
		return;
	}
	q->status = status;
	if (octets && len > 0)
		buf_put(&q->reply, octets, (size_t)len);
	q->answered = true;
	fiber_event_set(q->done);
}

int resolver_ask(struct dnsd_resolver *r, unsigned way, struct sv name, uint16_t type,
        struct buf *msg, int64_t deadline, struct err *e)
{
	struct buf out;
	buf_init(&out, 1024);
	if (dns_query_build(&out, (uint16_t)rand_u64(), name, type, type == DNS_TLSA) < 0) {
		buf_free(&out);
		return err_set(e, ERR_PERM, "%.*s is no domain name", SV_ARG(name));
	}
	struct question *q = mem_alloc(sizeof *q);
	q->resolver = r;
	q->done = fiber_event_new();
	buf_init(&q->reply, REPLY_MAX);
	r->asked++;
	fiber_event_set(r->started);
	ares_send(r->ways[way].channel, (const unsigned char *)buf_z(&out), (int)out.len, on_reply, q);
	buf_free(&out);
	if (!q->answered && fiber_event_wait(q->done, deadline) != 1 && !q->answered) {
		q->left = true;
		return err_set(
		        e, ERR_TEMP, "no name server answered in time for %.*s", SV_ARG(name));
	}
	int rc = 1;
	if (q->status != ARES_SUCCESS)
		rc = err_set(e, ERR_TEMP, "name servers: %s for %.*s", ares_strerror(q->status),
		        SV_ARG(name));
	else
		buf_put_sv(msg, buf_sv(&q->reply));
	question_free(q);
	return rc;
}
