/* The control socket: ready and load go to master; stop, dialled and keys of tickets come back. */
#include "lib/ipc/msg.h"
#include "lib/server/server_private.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define SEND_MS 10000

/* A dial request on its way; lives on the stack of the fiber that waits for it. */
struct dial {
	struct list_node link;
	uint32_t id;
	struct fiber_event *done;
	int fd;
	struct err err;
};

static void tell(const char *what, int rc, const struct err *e)
{
	if (rc < 0)
		log_warn("master was not told %s: %s", what, e->text);
}

void control_ready(struct server *s)
{
	struct msg_master_ready m = { .client_limit = s->client_limit };
	struct err e = ERR_INIT;
	tell("that this process is ready",
		msg_master_ready_send(s->control, &m, 0, NULL, 0, fiber_deadline(SEND_MS), &e), &e);
}

void control_load(struct server *s)
{
	unsigned handed = s->sessions > 0 ? (unsigned)s->sessions : 0;
	struct msg_master_load m = { .sessions = s->active + handed, .full = s->full };
	struct err e = ERR_INIT;
	if (!s->master_gone)
		tell("how busy this process is",
			msg_master_load_send(s->control, &m, 0, NULL, 0, fiber_deadline(SEND_MS), &e), &e);
}

/* --- what master sends -------------------------------------------------------------------------- */

static void on_stop(struct server *s, const struct ipc_frame *f)
{
	struct msg_master_stop m;
	struct arena a;
	struct err e = ERR_INIT;
	arena_init(&a, 65536);
	if (msg_master_stop_from(f, &a, &m, &e) < 0) {
		log_warn("control socket: %s", e.text);
	} else {
		char why[64];
		snprintf(why, sizeof(why), "%.*s", SV_ARG(m.why));
		server_ask_stop(s, sv_starts(m.why, SV("reload")) ? SERVER_DRAINS : SERVER_ENDS, why);
	}
	arena_free(&a);
}

/* The fd of an answer, or -1 with E. */
static int dialled(struct ipc_frame *f, struct err *e)
{
	struct msg_master_dialled m;
	struct arena a;
	int fd = -1;
	arena_init(&a, 65536);
	if (msg_master_dialled_from(f, &a, &m, e) == 1) {
		if (m.ok)
			fd = ipc_take_fd(f, 0);
		if (fd < 0)
			err_set(e, ERR_TEMP, "master: %.*s", SV_ARG(m.error));
	}
	arena_free(&a);
	return fd;
}

static void on_dialled(struct server *s, struct ipc_frame *f)
{
	LIST_FOREACH(n, &s->dials) {
		struct dial *d = CONTAINER_OF(n, struct dial, link);
		if (d->id != f->request_id)
			continue;
		d->fd = dialled(f, &d->err);
		list_remove(&s->dials, n);
		fiber_event_set(d->done);
		return;
	}
	/* the fiber that asked has given up: the descriptor is closed with the frame */
}

static void on_tickets(struct server *s, const struct ipc_frame *f)
{
	struct msg_master_tickets m;
	struct arena a;
	struct err e = ERR_INIT;
	arena_init(&a, 65536);
	if (msg_master_tickets_from(f, &a, &m, &e) < 0)
		log_warn("control socket: %s", e.text);
	else if (s->def->tickets)
		s->def->tickets(s, m.keys);
	arena_free(&a);
}

static void dispatch(struct server *s, struct ipc_frame *f)
{
	if (f->protocol == MSG_master_PROTOCOL && f->type == MSG_master_stop)
		on_stop(s, f);
	else if (f->protocol == MSG_master_PROTOCOL && f->type == MSG_master_dialled)
		on_dialled(s, f);
	else if (f->protocol == MSG_master_PROTOCOL && f->type == MSG_master_tickets)
		on_tickets(s, f);
	else
		log_warn("control socket: frame of protocol %u, type %u", f->protocol, f->type);
}

static void master_is_gone(struct server *s)
{
	s->master_gone = true;
	while (!list_empty(&s->dials)) {
		struct dial *d = CONTAINER_OF(list_pop(&s->dials), struct dial, link);
		err_set(&d->err, ERR_TEMP, "master is gone");
		fiber_event_set(d->done);
	}
	server_ask_stop(s, SERVER_ENDS, "master is gone");
}

int control_hear(struct server *s)
{
	struct ipc_frame f;
	struct err e = ERR_INIT;
	int rc = ipc_recv(s->control, &f, fiber_deadline(SEND_MS), &e);
	if (rc == 1) {
		dispatch(s, &f);
		return 1;
	}
	if (rc < 0)
		log_warn("control socket: %s", e.text);
	s->master_gone = true;
	return 0;
}

static void read_control(void *arg)
{
	struct server *s = arg;
	struct ipc_frame f;
	struct err e = ERR_INIT;
	int rc;
	while ((rc = ipc_recv(s->control, &f, FIBER_FOREVER, &e)) == 1)
		dispatch(s, &f);
	if (fiber_cancelled())
		return;
	if (rc < 0)
		log_warn("control socket: %s", e.text);
	master_is_gone(s);
}

int control_start(struct server *s, struct err *e)
{
	if (!fiber_spawn("control", 0, read_control, s))
		return err_set(e, ERR_TEMP, "no memory for the control fiber");
	return 0;
}

/* --- dialling through master -------------------------------------------------------------------- */

/* Before the loop runs there is no reader: read here. A stop that comes meanwhile is obeyed. */
static int dial_at_start(struct server *s, uint32_t id, int64_t deadline, struct err *e)
{
	struct ipc_frame f;
	for (;;) {
		int rc = ipc_recv(s->control, &f, deadline, e);
		if (rc == 0)
			return err_set(e, ERR_TEMP, "master is gone");
		if (rc < 0)
			return -1;
		if (f.type == MSG_master_dialled && f.request_id == id)
			return dialled(&f, e);
		dispatch(s, &f);
	}
}

int control_dial(struct server *s, const char *endpoint, int64_t deadline, struct err *e)
{
	struct dial d = { .id = ++s->next_dial, .fd = -1, .err = ERR_INIT };
	struct msg_master_dial m = { .endpoint = sv_z(endpoint) };
	if (s->master_gone)
		return err_set(e, ERR_TEMP, "master is gone");
	if (!fiber_self()) {
		if (msg_master_dial_send(s->control, &m, d.id, NULL, 0, deadline, e) < 0)
			return -1;
		return dial_at_start(s, d.id, deadline, e);
	}
	d.done = fiber_event_new();
	list_push(&s->dials, &d.link);
	int rc = msg_master_dial_send(s->control, &m, d.id, NULL, 0, deadline, e);
	if (rc == 1) {
		rc = fiber_event_wait(d.done, deadline);
		if (rc != 1 && d.fd < 0)
			err_set(e, ERR_TEMP, rc == 0 ? "master did not answer in time" : "cancelled");
		else if (d.fd < 0 && e)
			*e = d.err;
	}
	if (list_linked(&d.link))
		list_remove(&s->dials, &d.link);
	fiber_event_free(d.done);
	return d.fd;
}
