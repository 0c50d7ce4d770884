/*
 * The end of a mail's stay in active/: notifications, then away with it or back to deferred/.
 *
 * 1. "removed" is logged before the unlink.
 * 2. Before a mail leaves active/ for deferred/ its marks are in the file and synced: the done-logs
 *    that hold the same are then no longer needed.
 * 3. A step that fails (full disk, read-only spool, no bounce service) is tried again, and the mail
 *    stays where it is meanwhile.
 */
#include <errno.h>
#include <sys/stat.h>

#include "lib/clnt/clnt_bounce.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "qmgr/qmgr.h"

#define REMOVE_BATCH   32
#define RETRY_AFTER_MS (10 * 1000)

struct away_job {
	struct message *m;
	enum queue_name to; /* deferred or corrupt */
	struct mark *marks;
	size_t nmarks;
	bool sync;
	bool set_warned;
	int64_t retry_at_s;    /* 0: leave the file's times */
	enum queue_name found; /* where its file was */
	bool gone;             /* its file is nowhere */
	int rc;                /* 1, 0 no longer in active/, -1 */
	struct err e;
};

struct remove_job {
	struct message *m[REMOVE_BATCH];
	int rc[REMOVE_BATCH];
	struct err e[REMOVE_BATCH];
	size_t n;
};

/* Write the marks into the file, wherever the admin has put it meanwhile: held, perhaps released
 * again. 1, 0 gone, -1. */
static int put_marks(struct away_job *j, int *fd_out)
{
	static const enum queue_name places[] = { QUEUE_DIR_ACTIVE, QUEUE_DIR_HOLD,
		QUEUE_DIR_DEFERRED };
	struct message *m = j->m;
	struct queue *q = &m->qm->q;
	int fd = -1, rc = 0;
	for (size_t i = 0; i < ARRAY_LEN(places) && rc == 0; i++) {
		j->found = places[i];
		rc = queue_open_mail(q, places[i], sv_z(m->id), O_RDWR, &fd, &j->e);
	}
	j->gone = rc == 0;
	if (rc != 1)
		return rc;
	for (size_t i = 0; i < j->nmarks && rc == 1; i++)
		if (queue_mail_mark(fd, j->marks[i].offset, j->marks[i].cell, &j->e) < 0)
			rc = -1;
	if (rc == 1 && j->sync && (j->nmarks > 0 || m->unsynced) && sys_fdatasync(fd) < 0)
		rc = err_sys(&j->e, errno, "sync of the queue file");
	if (rc != 1 || !fd_out)
		sys_close(fd);
	else
		*fd_out = fd;
	return rc;
}

static void marks_only(void *rec)
{
	struct away_job *j = rec;
	j->rc = put_marks(j, NULL);
}

int message_write_marks(struct message *m, bool sync, struct err *e)
{
	/* deliveries go on and add marks meanwhile: the thread gets these alone */
	struct away_job j = { .m = m, .marks = m->marks, .nmarks = m->nmarks, .sync = sync };
	m->marks = NULL;
	m->nmarks = m->marks_cap = 0;
	fiber_offload(FIBER_POOL_DURABLE, marks_only, &j);
	if (j.rc < 0)
		for (size_t i = 0; i < j.nmarks; i++)
			message_mark(m, j.marks[i].offset, j.marks[i].cell);
	else
		m->unsynced = !sync && (j.nmarks > 0 || m->unsynced);
	free(j.marks);
	if (j.rc < 0)
		*e = j.e;
	return j.rc < 0 ? -1 : 0;
}

/* The admin has deleted or requeued the mail: what bounce wrote down about it since is of no use.
 */
static void drop_logs(struct message *m)
{
	static const enum queue_name logs[] = { QUEUE_DIR_BOUNCE, QUEUE_DIR_DEFER,
		QUEUE_DIR_TRACE };
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(logs); i++)
		if (queue_remove(&m->qm->q, logs[i], sv_z(m->id), &e) < 0)
			log_warn("%s: %s", m->id, e.text);
}

static void away(void *rec)
{
	struct away_job *j = rec;
	struct message *m = j->m;
	int fd;
	j->rc = put_marks(j, &fd);
	if (j->gone)
		drop_logs(m);
	if (j->rc != 1)
		return;
	if (j->set_warned && sys_fchmod(fd, 0700) < 0)
		log_warn("%s: cannot note that its sender was warned: %m", m->id);
	if (j->retry_at_s > 0) {
		const struct timespec t[2] = { { .tv_sec = j->retry_at_s },
			{ .tv_sec = j->retry_at_s } };
		if (futimens(fd, t) < 0)
			log_warn("%s: cannot set the time of its next delivery attempt: %m", m->id);
	}
	sys_close(fd);
	j->rc = j->found == QUEUE_DIR_ACTIVE
	                ? queue_move(&m->qm->q, QUEUE_DIR_ACTIVE, j->to, sv_z(m->id), &j->e)
	                : 0;
}

static void remove_files(void *rec)
{
	struct remove_job *j = rec;
	for (size_t i = 0; i < j->n; i++) {
		struct message *m = j->m[i];
		j->rc[i] = queue_remove(&m->qm->q, QUEUE_DIR_ACTIVE, sv_z(m->id), &j->e[i]);
		if (j->rc[i] == 0) {
			/* held by the admin meanwhile: nobody may get it again when it is released
			 */
			struct away_job a = {
				.m = m, .marks = m->marks, .nmarks = m->nmarks, .sync = true
			};
			j->rc[i] = put_marks(&a, NULL);
			j->e[i] = a.e;
		}
	}
}

static void settle(struct message *m)
{
	list_push(&m->qm->finish, &m->finish);
	fiber_event_set(m->qm->finished);
}

static bool delay_warning_due(const struct message *m)
{
	long after = m->qm->p.delay_warning_time;
	return m->deferred && !m->warned && after > 0 && m->mail.facts.sender.len > 0 &&
	       clock_wall_s() - m->mail.h.arrival_us / 1000000 >= after;
}

void message_finish(struct message *m)
{
	m->finishing = true;
	if (!m->bounced && !m->traced && !delay_warning_due(m)) {
		settle(m);
		return;
	}
	list_push(&m->qm->tell, &m->finish);
	fiber_event_set(m->qm->told);
}

static void again_fiber(void *arg)
{
	struct message *m = arg;
	if (fiber_sleep(RETRY_AFTER_MS) == 1)
		settle(m);
}

static void finish_again(struct message *m, const struct err *e)
{
	log_warn("%s: %s; trying again in %d s", m->id, e->text, RETRY_AFTER_MS / 1000);
	if (!fiber_spawn("again", 0, again_fiber, m))
		log_warn("%s: stays in active/ until qmgr starts anew", m->id);
}

static void gone(struct message *m)
{
	message_logs_release(m);
	message_forget(m);
}

static int flush(struct message *m, const char *kind)
{
	const struct queue_mail *mail = &m->mail;
	const struct clnt_bounce_mail b = { .queue_id = sv_z(m->id),
		.nonce = mail->h.nonce,
		.sender = mail->facts.sender,
		.envid = mail->facts.envid,
		.ret = mail->facts.ret,
		.smtputf8 = (mail->h.mail_flags & QUEUE_MAIL_SMTPUTF8) != 0,
		.body_type = mail->facts.body_type,
		.content_offset = mail->h.content_offset,
		.content_size = mail->h.content_size,
		.arrival_us = mail->h.arrival_us };
	struct err e = ERR_INIT;
	int rc = message_file_get(m, &e);
	if (rc == 0) {
		rc = clnt_bounce_flush(
		        m->qm->bounce, kind, &b, mail->fd, fiber_deadline(QMGR_BOUNCE_MS), &e);
		message_file_put(m);
	}
	if (rc < 0)
		log_warn("%s: %s notification not sent yet: %s", m->id, kind, e.text);
	return rc < 0 ? -1 : 0;
}

/* What the sender is to be told. A notification that could not be sent keeps the mail. */
static void notify(struct message *m)
{
	if (m->bounced) {
		if (m->expired)
			log_info("%s: from=<%.*s>, status=expired, returned to sender", m->id,
			        SV_ARG(m->mail.facts.sender));
		if (flush(m, "bounce") == 0)
			m->bounced = m->expired = false;
		else
			m->deferred = true;
	}
	if (m->traced) {
		bool verify = m->report || (m->mail.h.mail_flags & QUEUE_MAIL_VERIFY);
		if (flush(m, verify ? "verify" : "trace") == 0)
			m->traced = false;
		else
			m->deferred = true;
	}
	if (delay_warning_due(m) && flush(m, "delay") == 0)
		m->warned = m->warn_now = true;
}

static void put_aside(struct message *m)
{
	const struct params_qmgr *p = &m->qm->p;
	int64_t now = clock_wall_s();
	int64_t delay = now - m->mail.h.arrival_us / 1000000;
	if (delay > p->maximal_backoff_time)
		delay = p->maximal_backoff_time;
	if (delay < p->minimal_backoff_time)
		delay = p->minimal_backoff_time;
	struct away_job j = { .m = m,
		.marks = m->marks,
		.nmarks = m->nmarks,
		.to = m->corrupt ? QUEUE_DIR_CORRUPT : QUEUE_DIR_DEFERRED,
		.sync = true,
		.set_warned = m->warn_now,
		.retry_at_s = now + delay };
	fiber_offload(FIBER_POOL_DURABLE, away, &j);
	if (j.rc < 0) {
		finish_again(m, &j.e);
		return;
	}
	if (m->corrupt)
		log_warn("%s: moved to corrupt/: its list of recipients is damaged", m->id);
	else if (j.rc == 0)
		log_info("%s: no longer in active/: held or removed by the administrator", m->id);
	gone(m);
}

/* Remove M and what else is plainly done. */
static void remove_some(struct message *m)
{
	struct qmgr *qm = m->qm;
	struct remove_job j = { .n = 1, .m = { m } };
	LIST_FOREACH_SAFE (n, &qm->finish) {
		struct message *other = CONTAINER_OF(n, struct message, finish);
		if (j.n == REMOVE_BATCH)
			break;
		if (other->deferred || other->corrupt)
			continue;
		list_remove(&qm->finish, n);
		j.m[j.n++] = other;
	}
	for (size_t i = 0; i < j.n; i++)
		log_info("%s: removed", j.m[i]->id);
	fiber_offload(FIBER_POOL_DURABLE, remove_files, &j);
	for (size_t i = 0; i < j.n; i++) {
		if (j.rc[i] < 0)
			finish_again(j.m[i], &j.e[i]);
		else
			gone(j.m[i]);
	}
}

/* The next message of L, or NULL: cancelled. */
static struct message *next(struct list *l, struct fiber_event *event)
{
	for (;;) {
		struct list_node *n = list_pop(l);
		if (n)
			return CONTAINER_OF(n, struct message, finish);
		fiber_event_clear(event);
		if (fiber_event_wait(event, FIBER_FOREVER) < 0)
			return NULL;
	}
}

void qmgr_tell_fiber(void *arg)
{
	struct qmgr *qm = arg;
	for (struct message *m; (m = next(&qm->tell, qm->told)) != NULL;) {
		qm->busy_fibers++;
		notify(m);
		settle(m);
		qm->busy_fibers--;
	}
}

void qmgr_finish_fiber(void *arg)
{
	struct qmgr *qm = arg;
	for (struct message *m; (m = next(&qm->finish, qm->finished)) != NULL;) {
		qm->busy_fibers++;
		if (m->deferred || m->corrupt)
			put_aside(m);
		else
			remove_some(m);
		qm->busy_fibers--;
	}
}
