/* The life of the process: open, recover, run, stop. */
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"
#include "qmgr/qmgr.h"

#define STOP_MS       (10 * 1000) /* for deliveries that run */
#define RECOVER_TRIES 30

int qmgr_open(struct qmgr *qm, struct server *s, struct err *e)
{
	struct params_sendmail users;
	qm->server = s;
	qm->cfg = server_config(s);
	if (params_core_load(qm->cfg, &qm->core, e) < 0 || params_qmgr_load(qm->cfg, &qm->p, e) < 0 ||
	        params_sendmail_load(qm->cfg, &users, e) < 0 ||
	        userlist_open("authorized_flush_users", users.authorized_flush_users, &qm->env,
	                &qm->flush_users, e) < 0)
		return -1;
	if (qm->p.bounce_queue_lifetime > qm->p.maximal_queue_lifetime) {
		log_warn("%s: bounce_queue_lifetime is longer than maximal_queue_lifetime, which counts for "
		         "reports too",
		        config_where(qm->cfg, "bounce_queue_lifetime"));
		qm->p.bounce_queue_lifetime = qm->p.maximal_queue_lifetime;
	}
	if (queue_open(&qm->q, qm->core.queue_directory, e) < 0)
		return -1;
	qm->seed = (struct hash_seed){ rand_u64(), rand_u64() };
	sched_init(&qm->sched, qm->seed);
	htab_init(&qm->messages, qm->seed);
	list_init(&qm->fresh);
	list_init(&qm->old);
	list_init(&qm->flushes);
	list_init(&qm->finish);
	list_init(&qm->tell);
	list_init(&qm->idle_workers);
	return 0;
}

/* Recovery first; until it is done arrivals are only remembered. */
static void start_fiber(void *arg)
{
	struct qmgr *qm = arg;
	struct err e = ERR_INIT;
	for (int i = 0; qmgr_recover(qm, &e) < 0; i++) {
		log_error("cannot take over the queue: %s", e.text);
		if (i >= RECOVER_TRIES || fiber_sleep(1000) < 0 || qm->stopping) {
			qm->recovering = false;
			server_stop(qm->server, EX_TEMPFAIL);
			return;
		}
	}
	qm->recovering = false;
	qm->recovered = true;
	if (qm->stopping)
		return;
	bool ok = true;
	for (int i = 0; i < QMGR_INTAKE_FIBERS; i++)
		ok = fiber_spawn("intake", 0, qmgr_intake_fiber, qm) && ok;
	for (int i = 0; i < QMGR_FINISH_FIBERS; i++)
		ok = fiber_spawn("finish", 0, qmgr_finish_fiber, qm) && ok;
	for (int i = 0; i < QMGR_TELL_FIBERS; i++)
		ok = fiber_spawn("tell", 0, qmgr_tell_fiber, qm) && ok;
	ok = fiber_spawn("scan", 0, qmgr_scan_fiber, qm) && ok;
	if (!ok) {
		log_error("no memory for fibers");
		server_stop(qm->server, EX_OSERR);
	}
}

int qmgr_start(struct qmgr *qm, struct err *e)
{
	qm->arrived = fiber_event_new();
	qm->room = fiber_event_new();
	qm->run = fiber_event_new();
	qm->finished = fiber_event_new();
	qm->told = fiber_event_new();
	qm->rewrite_pool = server_pool(qm->server, qm->core.rewrite_service_name, 8);
	qm->bounce = server_pool(qm->server, qm->core.bounce_service_name, 8);
	qm->rewrite = clnt_rewrite_new(qm->rewrite_pool);
	qm->recovering = true;
	if (!fiber_spawn("start", 0, start_fiber, qm))
		return err_set(e, ERR_TEMP, "no memory for a fiber");
	return 0;
}

/* Everything known must be in queue files before the marker says that nothing is open. */
static int settle_messages(struct qmgr *qm, struct err *e)
{
	size_t n = 0;
	struct message **all = mem_array(qm->messages.count + 1, sizeof(*all));
	int rc = 0;
	HTAB_FOREACH (&qm->messages, he)
		all[n++] = he->value;
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (all[i]->nmarks > 0 || all[i]->unsynced)
			rc = message_write_marks(all[i], true, e);
		if (rc == 0)
			message_logs_release(all[i]);
	}
	free(all);
	return rc;
}

void qmgr_stop(struct qmgr *qm)
{
	struct err e = ERR_INIT;
	int64_t deadline = fiber_deadline(STOP_MS);
	if (qm->stopping)
		return;
	qm->stopping = true;
	fiber_event_set(qm->arrived);
	fiber_event_set(qm->room);
	fiber_event_set(qm->run);
	LIST_FOREACH (n, &qm->idle_workers)
		worker_wake(n);
	while ((qm->recovering || qm->workers > 0 || qm->busy_fibers > 0 ||
	               !list_empty(&qm->finish) || !list_empty(&qm->tell)) &&
	        clock_mono_ms() < deadline)
		if (fiber_sleep(5) < 0)
			break;
	if (!qm->recovered || qm->workers > 0 || qm->busy_fibers > 0) {
		log_info("stopped with %zu deliveries running; what they do is in done-logs",
		        qm->sched.running);
		return;
	}
	if (settle_messages(qm, &e) < 0 || qmgr_clean_write(qm, &e) < 0)
		log_warn("stopped without a clean mark: %s", e.text);
}
