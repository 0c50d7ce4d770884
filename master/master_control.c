#include <errno.h>
#include <sys/socket.h>

#include "lib/ipc/msg.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "master/master.h"

#define CONTROL_PATH    "private/control"
#define CONTROL_WAIT_MS 10000 /* a connected command must speak within */
#define STOP_WAIT_MS    180000
#define RELOAD_WAIT_MS  30000

struct control {
	struct master *master;
	struct ipc_conn *conn;
};

int control_open(struct master *m, struct err *e)
{
	m->control_fd = sock_unix_listen(CONTROL_PATH, (gid_t)-1, 0600, false, e);
	return m->control_fd < 0 ? -1 : 0;
}

static const char *service_state(const struct msvc *svc, int64_t now)
{
	if (svc->throttled_ms > now)
		return "THROTTLED";
	if (svc->idle + svc->full > 0)
		return "running";
	return svc->starting ? "starting" : "on demand";
}

void status_text(struct master *m, struct buf *out)
{
	int64_t now = clock_mono_ms();
	const struct generation *g = m->current;
	buf_printf(out, "master: pid=%d, running for %llds, generation=%u%s\n", (int)getpid(),
	        (long long)((now - m->started_ms) / 1000), g->number,
	        m->stopping ? ", stopping" : "");
	LIST_FOREACH (n, &m->generations) {
		struct generation *old = CONTAINER_OF(n, struct generation, link);
		if (old != g)
			buf_printf(out, "generation %u: %zu processes still finish their work\n",
			        old->number, old->children);
	}
	buf_printf(out, "%-14s %-10s %9s %8s %8s %8s  %s\n", "service", "state", "processes",
	        "full", "started", "crashed", "listens on");
	for (size_t i = 0; i < g->count; i++) {
		const struct msvc *svc = &g->services[i];
		buf_printf(out, "%-14s %-10s %9u %8u %8lu %8lu ", svc->cf->name,
		        service_state(svc, now), service_processes(svc), svc->full, svc->started,
		        svc->crashed);
		for (size_t j = 0; j < svc->nsocks; j++)
			if (svc->socks[j]->cls == CLASS_INET || svc->socks[j]->cls == CLASS_PUBLIC)
				buf_printf(out, " %s", svc->socks[j]->label);
		if (svc->throttled_ms > now)
			buf_printf(out, " (again in %llds)",
			        (long long)((svc->throttled_ms - now) / 1000 + 1));
		buf_putc(out, '\n');
	}
}

static void answer(struct control *c, uint32_t id, bool ok, struct sv text)
{
	struct msg_master_outcome m = { .ok = ok, .text = text };
	struct err e = ERR_INIT;
	if (msg_master_outcome_send(c->conn, &m, id, NULL, 0, fiber_deadline(CONTROL_WAIT_MS), &e) <
	        0)
		log_info("control: the command did not wait for its answer: %s", e.text);
}

static void do_stop(struct control *c, uint32_t id)
{
	struct master *m = c->master;
	log_info("stop was asked for");
	m->want_stop = true;
	master_kick(m);
	if (fiber_event_wait(m->stopped, fiber_deadline(STOP_WAIT_MS)) == 1)
		answer(c, id, true, SV("stopped"));
	else
		answer(c, id, false, SV("processes are still running; see the log"));
}

static void do_reload(struct control *c, uint32_t id)
{
	struct master *m = c->master;
	fiber_event_clear(m->reloaded);
	m->want_reload = true;
	master_kick(m);
	if (fiber_event_wait(m->reloaded, fiber_deadline(RELOAD_WAIT_MS)) != 1)
		answer(c, id, false, SV("master does not answer in time; see the log"));
	else
		answer(c, id, m->reload_err.cls == ERR_NONE, sv_z(m->reload_err.text));
}

static void do_status(struct control *c, uint32_t id)
{
	struct buf b;
	buf_init(&b, 256 * 1024);
	status_text(c->master, &b);
	answer(c, id, true, buf_sv(&b));
	buf_free(&b);
}

static void control_session(struct control *c)
{
	static const struct {
		const char *verb;
		void (*run)(struct control *c, uint32_t id);
	} verbs[] = { { "stop", do_stop }, { "reload", do_reload }, { "status", do_status } };
	struct ipc_frame f;
	struct msg_master_command cmd;
	struct err e = ERR_INIT;
	struct arena a;
	arena_init(&a, 64 * 1024);
	int rc = ipc_recv(c->conn, &f, fiber_deadline(CONTROL_WAIT_MS), &e);
	if (rc == 1 && f.protocol == MSG_master_PROTOCOL && f.type == MSG_master_command &&
	        msg_master_command_decode(f.body, &a, &cmd, &e) >= 0) {
		size_t i = 0;
		while (i < ARRAY_LEN(verbs) && !sv_eqz(cmd.verb, verbs[i].verb))
			i++;
		if (i < ARRAY_LEN(verbs))
			verbs[i].run(c, f.request_id);
		else
			answer(c, f.request_id, false, SV("unknown command"));
	} else if (rc != 0) {
		log_warn("control: broken command: %s", e.text);
	}
	arena_free(&a);
}

static void control_fiber(void *arg)
{
	struct control *c = arg;
	uid_t uid;
	gid_t gid;
	pid_t pid;
	/* the mode of the socket says the same; a directory that somebody opened up does not help
	 */
	if (ipc_peer(c->conn, &uid, &gid, &pid) < 0 || (uid != 0 && uid != geteuid()))
		log_warn("control: refused a connection from uid %u", (unsigned)uid);
	else
		control_session(c);
	ipc_conn_free(c->conn);
	free(c);
}

void control_serve(void *arg)
{
	struct master *m = arg;
	while (fiber_wait_fd(m->control_fd, FIBER_READ, FIBER_FOREVER) == 1) {
		int fd = accept4(m->control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
				log_warn("control: accept: %s", strerror(errno));
				if (fiber_sleep(1000) < 0)
					break;
			}
			continue;
		}
		struct control *c = mem_alloc(sizeof *c);
		c->master = m;
		c->conn = ipc_conn_new(fd);
		if (!fiber_spawn("control", 64 * 1024, control_fiber, c)) {
			ipc_conn_free(c->conn);
			free(c);
		}
	}
}
