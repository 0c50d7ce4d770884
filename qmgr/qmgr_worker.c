/*
 * Deliveries: a worker is a fiber with one connection to an agent, for one entry after another.
 *
 * When a connection breaks off, the agent may or may not have delivered. Its done-log tells what it
 * finished; the rest is asked for once more, marked as "may have been delivered before", over a
 * fresh connection. If that breaks too, the recipients are deferred: only this mail waits.
 */
#include <errno.h>

#include "lib/ipc/msg.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "qmgr/qmgr.h"

#define IDLE_MS       (5 * 1000)
#define DIAL_MS       (10 * 1000)
#define DIAL_PAUSE_MS 200
#define SEND_MS       (60 * 1000)
#define REQUESTS_MAX  1000 /* of one connection: then a new one, and the done-log can go */

struct worker {
	struct list_node idle;
	struct qmgr *qm;
	struct sched_transport *transport;
	struct fiber_event *wake;
	struct entry *entry;
	struct ipc_conn *conn;
	struct agent_log *log;
	unsigned requests;
};

struct pace {
	struct qmgr *qm;
	struct sched_transport *transport;
};

static void disconnect(struct worker *w)
{
	if (w->conn)
		ipc_conn_free(w->conn);
	w->conn = NULL;
	if (w->log)
		agent_log_close(w->qm, w->log);
	w->log = NULL;
	w->requests = 0;
}

/* 1 connected; -1 not now (E); -2 there is no such service (E). */
static int connect_agent(struct worker *w, struct err *e)
{
	int64_t deadline = fiber_deadline(DIAL_MS);
	if (w->conn)
		return 1;
	for (;;) {
		int fd = server_dial(w->qm->server, w->transport->name, deadline, e);
		if (fd >= 0) {
			w->conn = ipc_conn_new(fd);
			break;
		}
		if (e->sys_errno == ENOENT)
			return -2;
		/* all processes of the service are busy, or master is starting */
		if (clock_mono_ms() >= deadline || fiber_sleep(DIAL_PAUSE_MS) < 0)
			return -1;
	}
	w->log = agent_log_new(w->qm, e);
	if (w->log)
		return 1;
	disconnect(w);
	return -1;
}

static int send_request(struct worker *w, struct entry *en, struct arena *a, struct err *e)
{
	struct message *m = en->msg;
	const struct queue_header *h = &m->mail.h;
	const struct queue_facts *f = &m->mail.facts;
	size_t n = en->en.nrcpts, i = 0;
	struct msg_deliver_request q = { .queue_id = sv_z(m->id),
		.queue_name = SV("active"),
		.nonce = h->nonce,
		.flags = (m->suspect || en->retried ? DELIVER_MAYBE_BEFORE : 0u) |
		         (h->mail_flags & QUEUE_MAIL_REINJECTED ? DELIVER_REINJECTED : 0u) |
		         (w->qm->core.soft_bounce ? DELIVER_SOFT_BOUNCE : 0u) |
		         (en->en.dest->entries.n > 0 ? DELIVER_MORE : 0u),
		.nexthop = sv_z(en->en.dest->nexthop),
		.sender = f->sender,
		.arrival_us = h->arrival_us,
		.content_offset = h->content_offset,
		.content_size = h->content_size,
		.crlf_size = h->crlf_size,
		.content_flags = h->content_flags,
		.envid = f->envid,
		.ret = f->ret,
		.body_type = f->body_type,
		.smtputf8 = (h->mail_flags & QUEUE_MAIL_SMTPUTF8) != 0,
		.active_us = m->active_us,
		.client_name = f->client_name,
		.client_addr = f->client_addr,
		.helo_name = f->helo_name,
		.protocol = f->protocol,
		.sasl_username = f->sasl_username,
		.transport = sv_z(w->transport->name) };
	q.offsets = (struct u64_list){ arena_array(a, n, sizeof(uint64_t)), n };
	q.notifies = (struct u32_list){ arena_array(a, n, sizeof(uint32_t)), n };
	q.recipients = (struct sv_list){ arena_array(a, n, sizeof(struct sv)), n };
	q.originals = (struct sv_list){ arena_array(a, n, sizeof(struct sv)), n };
	q.orcpts = (struct sv_list){ arena_array(a, n, sizeof(struct sv)), n };
	if (a->exhausted)
		return err_set(e, ERR_TEMP, "no memory for a delivery request");
	for (const struct rcpt *r = en->first; r; r = r->next, i++) {
		q.offsets.v[i] = r->offset;
		q.notifies.v[i] = r->notify;
		q.recipients.v[i] = r->address;
		q.originals.v[i] = r->original;
		q.orcpts.v[i] = r->orcpt;
	}
	const int fds[] = { m->mail.fd, w->log->fd };
	message_log_hold(m, w->log);
	w->requests++;
	return msg_deliver_request_send(w->conn, &q, w->requests, fds, w->requests == 1 ? 2 : 1,
	        fiber_deadline(SEND_MS), e);
}

/* Send, and wait for the answer. 1 *res (views in A); -1 with E. */
static int ask_agent(struct worker *w, struct entry *en, struct arena *a,
        struct msg_deliver_results *res, struct err *e)
{
	struct ipc_frame f;
	if (send_request(w, en, a, e) != 1)
		return -1;
	int rc = ipc_recv(w->conn, &f, fiber_deadline(w->qm->core.ipc_timeout * 1000), e);
	if (rc == 0)
		return err_set(e, ERR_TEMP, "it ended without an answer");
	if (rc != 1 || msg_deliver_results_from(&f, a, res, e) != 1)
		return -1;
	size_t n = res->offsets.n;
	if (f.request_id != w->requests || res->statuses.n != n || res->dsns.n != n ||
	        res->texts.n != n || (res->remote_mtas.n != n && res->remote_mtas.n != 0) ||
	        (res->diagnostics.n != n && res->diagnostics.n != 0) ||
	        (res->actions.n != n && res->actions.n != 0))
		return err_set(e, ERR_TEMP, "its answer does not fit the request");
	return 1;
}

/* Take the recipient with OFFSET out of the entry. */
static struct rcpt *entry_take(struct entry *en, uint64_t offset)
{
	for (struct rcpt **p = &en->first; *p; p = &(*p)->next) {
		struct rcpt *r = *p;
		if (r->offset != offset)
			continue;
		*p = r->next;
		if (!r->next)
			en->tail = p;
		en->en.nrcpts--;
		return r;
	}
	return NULL;
}

/* The agent's results as outcomes; a recipient that is named twice counts once. */
static size_t take_results(
        struct entry *en, const struct msg_deliver_results *res, struct outcome *o)
{
	size_t n = 0;
	for (size_t i = 0; i < res->offsets.n; i++) {
		struct rcpt *r = entry_take(en, res->offsets.v[i]);
		if (!r)
			continue;
		uint32_t status = res->statuses.v[i];
		uint32_t action = res->actions.n ? res->actions.v[i] : QUEUE_ACTION_DELIVERED;
		o[n++] = (struct outcome){ .rcpt = r,
			.result = status == QUEUE_DELIVERED || status == QUEUE_BOUNCED
			                  ? (enum queue_result)status
			                  : QUEUE_DEFERRED,
			.action = action <= QUEUE_ACTION_PASSED_ON ? (enum queue_action)action
			                                           : QUEUE_ACTION_DELIVERED,
			.dsn = res->dsns.v[i],
			.text = res->texts.v[i],
			.remote_mta = res->remote_mtas.n ? res->remote_mtas.v[i] : SV_NONE,
			.diagnostic = res->diagnostics.n ? res->diagnostics.v[i] : SV_NONE };
	}
	return n;
}

struct log_reading {
	struct agent_log *log;
	struct entry *en;
	struct arena *a;
	struct outcome *o;
	size_t n;
	int rc;
	struct err e;
};

static bool see_record(void *ctx, const struct done_record *r)
{
	struct log_reading *lr = ctx;
	struct message *m = lr->en->msg;
	if (!sv_eqz(r->id, m->id) || r->nonce != m->mail.h.nonce || r->result == QUEUE_DEFERRED)
		return true;
	struct rcpt *rcpt = entry_take(lr->en, r->offset);
	if (rcpt)
		lr->o[lr->n++] = (struct outcome){ .rcpt = rcpt,
			.result = r->result,
			.action = r->action,
			.dsn = arena_sv(lr->a, r->dsn),
			.text = arena_sv(lr->a, r->text),
			.remote_mta = SV_NONE,
			.diagnostic = SV_NONE };
	return true;
}

static void read_log(void *rec)
{
	struct log_reading *lr = rec;
	lr->rc = done_log_read(lr->log->fd, see_record, lr, &lr->e);
}

/* What the agent finished before it broke off. */
static size_t take_finished(struct worker *w, struct entry *en, struct arena *a, struct outcome *o)
{
	struct log_reading lr = { .log = w->log, .en = en, .a = a, .o = o };
	if (!w->log)
		return 0;
	fiber_offload(FIBER_POOL_DURABLE, read_log, &lr);
	if (lr.rc < 0)
		log_warn("%s: done-log: %s", en->msg->id, lr.e.text);
	return lr.n;
}

/* All waiting entries of a destination that is dead get its reason. Recording an outcome waits, and
 * the destination may be revived meanwhile: so it is looked up again each time. */
static void drain_dest(struct sched_transport *t, const char *key)
{
	for (;;) {
		char reason[SCHED_REASON_MAX];
		struct sched_dest *d = htab_get(&t->dests, sv_z(key));
		struct sched_entry *en = d && d->dead_until != 0 ? sched_dest_first(d) : NULL;
		if (!en)
			return;
		memcpy(reason, d->reason, sizeof(reason));
		sched_remove(en);
		entry_defer(CONTAINER_OF(en, struct entry, en), reason, true);
	}
}

static void drain_transport(struct sched_transport *t)
{
	char reason[SCHED_REASON_MAX];
	struct sched_entry *en;
	memcpy(reason, t->reason, sizeof(reason));
	while (sched_transport_dead(t, clock_mono_ms()) &&
	        (en = sched_transport_first(t)) != NULL) {
		sched_remove(en);
		entry_defer(CONTAINER_OF(en, struct entry, en), reason, true);
	}
}

static void no_service(struct worker *w, const struct err *e)
{
	struct sched_transport *t = w->transport;
	char reason[SCHED_REASON_MAX];
	snprintf(reason, sizeof(reason),
	        "4.3.5 mail transport \"%s\" is not available: no such service in master.cf",
	        t->name);
	if (!sched_transport_dead(t, clock_mono_ms()))
		log_warn("transport \"%s\": %s; add the service to master.cf, or correct the "
		         "transport's name in "
		         "main.cf or transport_maps; mail for it waits",
		        t->name, e->text);
	sched_transport_kill(
	        t, clock_mono_ms() + w->qm->p.transport_retry_time * 1000, sv_z(reason));
}

/* Wakes the transport at the end of each pause, while there are any. */
static void pace_fiber(void *arg)
{
	struct pace *p = arg;
	struct qmgr *qm = p->qm;
	struct sched_transport *t = p->transport;
	free(p);
	for (int64_t at; !qm->stopping && (at = sched_pause_end(t)) != 0;) {
		int64_t ms = at - clock_mono_ms();
		if (ms > 0 && fiber_sleep(ms) < 0)
			break;
		qmgr_kick(qm, t);
	}
	t->pacing = false;
}

static void keep_pace(struct qmgr *qm, struct sched_transport *t)
{
	if (t->pacing || sched_pause_end(t) == 0 || qm->stopping)
		return;
	struct pace *p = mem_alloc(sizeof(*p));
	*p = (struct pace){ .qm = qm, .transport = t };
	t->pacing = fiber_spawn("pace", 0, pace_fiber, p) != NULL;
	if (!t->pacing) {
		log_warn("no memory for a fiber: mail for %s waits for the next one", t->name);
		free(p);
	}
}

/* Give the entry back to the scheduler; recipients that it still holds are deferred with REASON. */
static void entry_end(struct worker *w, struct entry *en, enum sched_outcome outcome,
        struct sv suspend, const char *reason)
{
	struct sched_dest *d = en->en.dest;
	char *key = NULL;
	if (sched_done(&en->en, outcome, suspend, clock_mono_ms())) {
		log_info("destination %s of %s is suspended: %.*s", d->nexthop, w->transport->name,
		        SV_ARG(suspend));
		key = mem_strdup(d->key);
	}
	keep_pace(w->qm, w->transport);
	if (en->first)
		entry_defer(en, reason, true);
	else
		free(en);
	if (key)
		drain_dest(w->transport, key);
	free(key);
	fiber_event_set(w->qm->room);
}

/* An agent broke off: what it finished goes to O. True: ask another one for the rest. */
static bool broke_off(struct worker *w, struct entry *en, struct arena *a, struct outcome *o,
        size_t *n, const struct err *e)
{
	struct qmgr *qm = w->qm;
	struct message *m = en->msg;
	*n += take_finished(w, en, a, o + *n);
	disconnect(w);
	if (!en->first)
		return false;
	/* also when stopping: the marker of a clean stop tells the next qmgr of this doubt */
	m->suspect = true;
	if (qm->suspect_before_us <= m->mail.h.arrival_us)
		qm->suspect_before_us = m->mail.h.arrival_us + 1;
	if (qm->stopping)
		return false;
	log_warn("%s: delivery agent %s: %s%s", m->id, w->transport->name, e->text,
	        en->retried ? "" : "; asking another one");
	if (en->retried)
		return false;
	en->retried = true;
	return true;
}

/* Talk to agents until there is an answer or no hope of one. 1 answered, -1 no, -2 no such service;
 * REASON for recipients without a result. Outcomes found on the way are in O. */
static int talk(struct worker *w, struct entry *en, struct arena *a,
        struct msg_deliver_results *res, struct outcome *o, size_t *n,
        char reason[SCHED_REASON_MAX])
{
	struct err e = ERR_INIT;
	int rc = message_file_get(en->msg, &e);
	if (rc < 0) {
		snprintf(reason, SCHED_REASON_MAX, "4.3.0 queue file: %.200s", e.text);
		return -1;
	}
	while ((rc = connect_agent(w, &e)) == 1 && (rc = ask_agent(w, en, a, res, &e)) != 1)
		if (!broke_off(w, en, a, o, n, &e))
			break;
	message_file_put(en->msg);
	if (rc == 1)
		*n += take_results(en, res, o + *n);
	else
		snprintf(reason, SCHED_REASON_MAX, "4.3.0 delivery agent %.60s: %.150s",
		        w->transport->name, e.text);
	if (rc == -2) {
		no_service(w, &e);
		memcpy(reason, w->transport->reason, SCHED_REASON_MAX);
	}
	return rc;
}

/* One delivery, from connecting to the recorded outcome. */
static void deliver(struct worker *w, struct entry *en)
{
	struct message *m = en->msg;
	struct outcome *o = mem_array(en->en.nrcpts, sizeof(*o));
	struct msg_deliver_results res = { .suspend = SV_NONE };
	struct arena a;
	char reason[SCHED_REASON_MAX] = "4.3.0 delivery agent gave no result for this recipient";
	size_t n = 0;

	arena_init(&a, 16u << 20);
	int rc = talk(w, en, &a, &res, o, &n, reason);
	/* the message lives as long as the entry holds a recipient: what it holds comes last */
	if (n > 0)
		message_outcomes(m, o, n);
	if (rc != 1 && w->qm->stopping) {
		/* the rest stays as it is in active/: the next qmgr goes on with it */
		en->left = w->qm->left;
		w->qm->left = en;
		arena_free(&a);
		free(o);
		return;
	}
	entry_end(w, en,
	        rc != 1               ? SCHED_NEUTRAL
	        : res.suspend.len > 0 ? SCHED_BAD
	                              : SCHED_GOOD,
	        res.suspend, reason);
	if (rc == -2)
		drain_transport(w->transport);
	arena_free(&a);
	free(o);
	if (w->requests >= REQUESTS_MAX)
		disconnect(w);
}

static void worker_fiber(void *arg)
{
	struct worker *w = arg;
	struct qmgr *qm = w->qm;
	for (;;) {
		if (!w->entry && !qm->stopping) {
			struct sched_entry *en = sched_next(w->transport, clock_mono_ms());
			if (en) {
				w->entry = CONTAINER_OF(en, struct entry, en);
				/* a success may have made room for more than one */
				qmgr_kick(qm, w->transport);
			}
		}
		if (w->entry) {
			struct entry *en = w->entry;
			w->entry = NULL;
			deliver(w, en);
			continue;
		}
		if (qm->stopping)
			break;
		fiber_event_clear(w->wake);
		list_push_front(&qm->idle_workers, &w->idle);
		int rc = fiber_event_wait(w->wake, fiber_deadline(IDLE_MS));
		if (list_linked(&w->idle))
			list_remove(&qm->idle_workers, &w->idle);
		if (!w->entry && (rc != 1 || qm->stopping))
			break;
	}
	disconnect(w);
	fiber_event_free(w->wake);
	free(w);
	qm->workers--;
	fiber_event_set(qm->room);
}

void worker_wake(struct list_node *n)
{
	fiber_event_set(CONTAINER_OF(n, struct worker, idle)->wake);
}

static struct worker *idle_worker(struct qmgr *qm, struct sched_transport *t)
{
	LIST_FOREACH (n, &qm->idle_workers) {
		struct worker *w = CONTAINER_OF(n, struct worker, idle);
		if (w->transport == t) {
			list_remove(&qm->idle_workers, n);
			return w;
		}
	}
	struct worker *w = mem_alloc(sizeof(*w));
	w->qm = qm;
	w->transport = t;
	w->wake = fiber_event_new();
	if (!fiber_spawn("delivery", 0, worker_fiber, w)) {
		fiber_event_free(w->wake);
		free(w);
		return NULL;
	}
	qm->workers++;
	return w;
}

void qmgr_kick(struct qmgr *qm, struct sched_transport *t)
{
	struct sched_entry *en;
	while (!qm->stopping && (en = sched_next(t, clock_mono_ms())) != NULL) {
		struct worker *w = idle_worker(qm, t);
		struct entry *entry = CONTAINER_OF(en, struct entry, en);
		if (!w) {
			sched_done(en, SCHED_NEUTRAL, SV_NONE, clock_mono_ms());
			entry_defer(entry, "4.3.0 no memory for another delivery", true);
			return;
		}
		w->entry = entry;
		fiber_event_set(w->wake);
	}
}
