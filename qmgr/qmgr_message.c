/* A mail in memory: taking it, reading its recipients by cursor, letting it go. */
#include <errno.h>

#include "lib/clnt/clnt_bounce.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "qmgr/qmgr.h"

#define BATCH_MEMORY (48u << 20)

enum take_result {
	TAKE_OK,
	TAKE_GONE,    /* somebody else has dealt with it */
	TAKE_BUSY,    /* cleanup is still writing it */
	TAKE_REMOVED, /* the torso of a mail that was never accepted */
	TAKE_CORRUPT,
	TAKE_UNKNOWN,
	TAKE_FAILED,
};

struct read_job {
	struct message *m;
	size_t max;
	struct batch *batch;
	struct rcpt **rcpts;
	size_t n;
	size_t expanded; /* of them: aliases that nothing is delivered to */
	bool bounced; /* a cell says that the bounce log knows of a recipient */
	int rc;
	struct err e;
};

struct take_job {
	struct message *m;
	const struct arrival *a;
	enum take_result result;
	bool defer_log, bounce_log, trace_log;
	bool warned;
	struct read_job read;
	struct err e;
};

/* Copy the next recipients that wait out of the queue file. Runs in a thread; the message is busy.
 */
static void read_rcpts(void *rec)
{
	struct read_job *j = rec;
	struct message *m = j->m;
	struct queue_rcpt_cursor c;
	struct queue_rcpt r;

	j->batch = mem_alloc(sizeof(*j->batch));
	arena_init(&j->batch->arena, BATCH_MEMORY);
	j->rcpts = mem_array(j->max + 1, sizeof(*j->rcpts));
	j->rc = 1;
	queue_rcpt_start(&c, &m->mail, m->cursor);
	while (j->n < j->max && (j->rc = queue_rcpt_next(&c, &r, &j->e)) == 1) {
		if (r.cell != QUEUE_CELL_PENDING && r.cell != QUEUE_CELL_EXPANDED) {
			j->bounced |= r.cell == QUEUE_CELL_BOUNCED;
			continue;
		}
		struct rcpt *p = arena_alloc(&j->batch->arena, sizeof(*p));
		if (p) {
			p->batch = j->batch;
			p->offset = r.offset;
			p->notify = r.notify;
			p->expanded = r.cell == QUEUE_CELL_EXPANDED;
			j->expanded += p->expanded;
			p->address = arena_sv(&j->batch->arena, r.address);
			p->original = arena_sv(&j->batch->arena, r.original);
			p->orcpt = arena_sv(&j->batch->arena, r.orcpt);
		}
		if (j->batch->arena.exhausted) {
			j->rc = err_set(&j->e, ERR_TEMP, "no memory for recipients");
			break;
		}
		j->rcpts[j->n++] = p;
		m->cursor = c.at;
	}
	queue_rcpt_end(&c);
}

static bool log_exists(struct queue *q, enum queue_name log, const char *id)
{
	struct err e;
	int fd;
	if (queue_open_mail(q, log, sv_z(id), O_RDONLY, &fd, &e) != 1)
		return false;
	sys_close(fd);
	return true;
}

/* A file that is no mail: leave it, remove it, or put it aside. */
static void take_bad(struct take_job *j, int status)
{
	struct queue *q = &j->m->qm->q;
	struct sv id = sv_z(j->m->id);
	struct err e;

	j->result = TAKE_FAILED;
	if (status == QUEUE_FILE_INCOMPLETE) {
		j->result = queue_remove_leftover(q, j->a->from, id, &e) == 1 ? TAKE_REMOVED
		                                                              : TAKE_BUSY;
	} else if (status == QUEUE_FILE_CORRUPT || status == QUEUE_FILE_UNKNOWN) {
		bool corrupt = status == QUEUE_FILE_CORRUPT;
		int rc = queue_move(
		        q, j->a->from, corrupt ? QUEUE_DIR_CORRUPT : QUEUE_DIR_HOLD, id, &e);
		if (rc == 1)
			j->result = corrupt ? TAKE_CORRUPT : TAKE_UNKNOWN;
		else if (rc == 0)
			j->result = TAKE_GONE;
		else
			j->e = e;
	}
}

/* Checks that only a mail needs which no living cleanup vouches for. */
static int take_check(struct take_job *j)
{
	if (j->a->announced || j->a->from != QUEUE_DIR_INCOMING)
		return QUEUE_FILE_OK;
	int rc = queue_mail_check_envelope(&j->m->mail, &j->e);
	if (rc == QUEUE_FILE_OK)
		rc = queue_mail_check_content(&j->m->mail, &j->e);
	return rc;
}

static void take(void *rec)
{
	struct take_job *j = rec;
	struct message *m = j->m;
	struct queue *q = &m->qm->q;
	struct stat st;
	int fd;

	j->result = TAKE_FAILED;
	int rc = queue_open_mail(q, j->a->from, sv_z(m->id), O_RDONLY, &fd, &j->e);
	if (rc != 1) {
		if (rc == 0)
			j->result = TAKE_GONE;
		return;
	}
	/* what a file holds while its writer is at work means nothing: ask before reading */
	if (!j->a->announced && j->a->from == QUEUE_DIR_INCOMING) {
		rc = queue_mail_settled(fd, &j->e);
		if (rc != 1) {
			j->result = rc == 0 ? TAKE_BUSY : TAKE_FAILED;
			sys_close(fd);
			return;
		}
	}
	rc = queue_mail_open(&m->mail, fd, &j->e);
	m->open = rc == QUEUE_FILE_OK;
	if (rc == QUEUE_FILE_OK)
		rc = take_check(j);
	if (rc == QUEUE_FILE_OK && !sv_eqz(sv_z(m->mail.h.id), m->id))
		rc = QUEUE_FILE_CORRUPT;
	if (rc != QUEUE_FILE_OK) {
		if (rc > 0)
			take_bad(j, rc);
		sys_close(fd);
		return;
	}
	rc = queue_move(q, j->a->from, QUEUE_DIR_ACTIVE, sv_z(m->id), &j->e);
	if (rc != 1) {
		j->result = rc == 0 ? TAKE_GONE : TAKE_FAILED;
		sys_close(fd);
		return;
	}
	j->result = TAKE_OK;
	j->warned = sys_fstat(fd, &st) == 0 && (st.st_mode & S_IXUSR);
	if (!j->a->announced) {
		j->defer_log = log_exists(q, QUEUE_DIR_DEFER, m->id);
		j->bounce_log = log_exists(q, QUEUE_DIR_BOUNCE, m->id);
		j->trace_log = log_exists(q, QUEUE_DIR_TRACE, m->id);
	}
	read_rcpts(&j->read);
}

static struct message *message_new(struct qmgr *qm, const char *id)
{
	if (htab_get(&qm->messages, sv_z(id)))
		return NULL;
	struct message *m = mem_alloc(sizeof(*m));
	m->qm = qm;
	memcpy(m->id, id, strlen(id) + 1);
	m->mail.fd = -1;
	m->busy = true;
	list_init(&m->jobs);
	htab_set(&qm->messages, sv_z(id), m);
	return m;
}

void message_forget(struct message *m)
{
	struct qmgr *qm = m->qm;
	htab_del(&qm->messages, sv_z(m->id));
	if (m->again)
		qmgr_arrived(qm, sv_z(m->id), QUEUE_DIR_INCOMING, false);
	if (m->mail.fd >= 0) {
		sys_close(m->mail.fd);
		qm->open_files--;
	}
	if (m->open)
		queue_mail_close(&m->mail);
	for (struct list_node *n; (n = list_pop(&m->jobs)) != NULL;)
		free(CONTAINER_OF(n, struct job, node));
	free(m->marks);
	free(m->logs);
	free(m);
	fiber_event_set(qm->room);
}

static void reopen(void *rec)
{
	struct take_job *j = rec;
	int fd;
	int rc = queue_open_mail(
	        &j->m->qm->q, QUEUE_DIR_ACTIVE, sv_z(j->m->id), O_RDONLY, &fd, &j->e);
	if (rc == 0)
		err_set(&j->e, ERR_TEMP, "the queue file is no longer in active/");
	if (rc != 1)
		fd = -1;
	j->read.rc = fd;
}

int message_file_get(struct message *m, struct err *e)
{
	m->in_use++;
	if (m->mail.fd < 0) {
		struct take_job j = { .m = m };
		fiber_offload(FIBER_POOL_DURABLE, reopen, &j);
		int fd = j.read.rc;
		if (fd < 0) {
			*e = j.e;
			m->in_use--;
			return -1;
		}
		if (m->mail.fd >= 0) { /* another fiber was faster */
			sys_close(fd);
		} else {
			m->mail.fd = fd;
			m->qm->open_files++;
		}
	}
	return 0;
}

void message_file_put(struct message *m)
{
	m->in_use--;
	if (m->in_use == 0 && m->qm->open_files > QMGR_OPEN_FILES) {
		sys_close(m->mail.fd);
		m->mail.fd = -1;
		m->qm->open_files--;
	}
}

/* Take over what was read, send it on its way, and see what is left to do. */
static void message_read_done(struct message *m, struct read_job *j)
{
	struct qmgr *qm = m->qm;
	m->bounced |= j->bounced;
	if (j->rc == 0) {
		m->read_all = true;
	} else if (j->rc < 0) {
		log_warn("%s: reading recipients: %s", m->id, j->e.text);
		m->read_all = true;
		if (j->e.cls == ERR_PERM)
			m->corrupt = true;
		else
			m->deferred = true;
	}
	j->batch->live = j->n;
	m->live += j->n;
	qm->nrcpts += j->n;
	if (j->n == 0) {
		arena_free(&j->batch->arena);
		free(j->batch);
	} else {
		message_route(m, j->rcpts, j->n);
	}
	free(j->rcpts);
	message_file_put(m);
	m->busy = false;
	message_check(m);
}

/* How many recipients may be read now: bounded in all, but a few for every mail. */
static size_t read_quota(struct qmgr *qm)
{
	size_t limit = (size_t)qm->p.qmgr_message_recipient_limit;
	size_t minimum = (size_t)qm->p.qmgr_message_recipient_minimum;
	size_t left = limit > qm->nrcpts ? limit - qm->nrcpts : 0;
	if (left < minimum)
		left = minimum;
	return left < QMGR_BATCH ? left : QMGR_BATCH;
}

static void refill_fiber(void *arg)
{
	struct message *m = arg;
	struct err e = ERR_INIT;
	struct read_job j = { .m = m, .max = read_quota(m->qm) };

	if (m->nmarks > QMGR_BATCH && message_write_marks(m, false, &e) < 0)
		log_warn("%s: %s", m->id, e.text);
	if (message_file_get(m, &e) < 0) {
		log_warn("%s: %s", m->id, e.text);
		m->read_all = true;
		m->deferred = true;
		m->busy = false;
		message_check(m);
		return;
	}
	fiber_offload(FIBER_POOL_DURABLE, read_rcpts, &j);
	message_read_done(m, &j);
}

void message_check(struct message *m)
{
	if (m->busy || m->finishing)
		return;
	if (m->read_all) {
		if (m->live == 0)
			message_finish(m);
		return;
	}
	/* when too many are in memory a mail gets its few more only after it has none left */
	bool full = m->qm->nrcpts >= (size_t)m->qm->p.qmgr_message_recipient_limit;
	if (m->live > (full ? 0 : QMGR_BATCH / 2))
		return;
	m->busy = true;
	/* without memory for a fiber the rest waits for the next run of the queue */
	if (!fiber_spawn("refill", 0, refill_fiber, m)) {
		m->busy = false;
		m->read_all = true;
		m->deferred = true;
		message_check(m);
	}
}

static void report_bad(const struct take_job *j)
{
	const char *id = j->m->id, *from = queue_dir_name(j->a->from);
	switch (j->result) {
	case TAKE_REMOVED:
		log_info("%s: removed: incomplete in %s/, was never acknowledged", id, from);
		break;
	case TAKE_CORRUPT:
		log_warn("%s: moved from %s/ to corrupt/: %s", id, from,
		        j->e.text[0] ? j->e.text : "it is not the mail that its name says");
		break;
	case TAKE_UNKNOWN: log_warn("%s: moved from %s/ to hold/: %s", id, from, j->e.text); break;
	case TAKE_FAILED: log_warn("%s: cannot take it from %s/: %s", id, from, j->e.text); break;
	case TAKE_OK:
	case TAKE_GONE:
	case TAKE_BUSY: break;
	}
}

static void take_arrival(struct qmgr *qm, const struct arrival *a)
{
	struct message *m = message_new(qm, a->id);
	if (!m)
		return;
	struct take_job j = { .m = m, .a = a };
	j.read.m = m;
	j.read.max = read_quota(qm);
	fiber_offload(FIBER_POOL_DURABLE, take, &j);
	if (j.result != TAKE_OK) {
		report_bad(&j);
		m->mail.fd = -1;
		message_forget(m);
		return;
	}
	qm->open_files++;
	m->in_use = 1;
	struct timespec now = clock_wall();
	m->active_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	m->suspect = m->mail.h.arrival_us < qm->suspect_before_us;
	m->warned = j.warned;
	m->bounced |= j.bounce_log;
	m->report = (m->mail.h.mail_flags & QUEUE_MAIL_REPORT) && a->from == QUEUE_DIR_INCOMING;
	m->traced |= j.trace_log;
	qmgr_log_active(m, (j.read.rc == 0 ? j.read.n : m->mail.h.rcpt_count) - j.read.expanded);
	struct err e = ERR_INIT;
	if (j.defer_log && clnt_bounce_forget(qm->bounce, "defer", sv_z(m->id),
	                           fiber_deadline(QMGR_BOUNCE_MS), &e) < 0)
		log_warn("%s: old entries of defer/ stay: %s", m->id, e.text);
	message_read_done(m, &j.read);
}

void qmgr_intake_fiber(void *arg)
{
	struct qmgr *qm = arg;
	struct arrival a;
	while (qmgr_next_arrival(qm, &a)) {
		qm->busy_fibers++;
		take_arrival(qm, &a);
		qm->busy_fibers--;
	}
}
