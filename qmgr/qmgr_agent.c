/* Done-logs: one for each connection to an agent, kept until all its results are in queue files. */
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "qmgr/qmgr.h"

struct log_job {
	struct qmgr *qm;
	struct agent_log *log;
	int rc;
	struct err e;
};

static void create(void *rec)
{
	struct log_job *j = rec;
	j->log->fd = done_log_create(&j->qm->q, j->log->name, &j->e);
}

struct agent_log *agent_log_new(struct qmgr *qm, struct err *e)
{
	struct agent_log *log = mem_alloc(sizeof(*log));
	struct log_job j = { .qm = qm, .log = log };
	snprintf(log->name, sizeof(log->name), "%lld-%d-%llu", (long long)clock_wall_s(),
	        (int)getpid(), (unsigned long long)qm->log_seq++);
	fiber_offload(FIBER_POOL_DURABLE, create, &j);
	if (log->fd >= 0)
		return log;
	*e = j.e;
	free(log);
	return NULL;
}

static void drop(void *rec)
{
	struct log_job *j = rec;
	j->rc = done_log_remove(&j->qm->q, j->log->name, &j->e);
}

/* Remove the log when nobody writes it and nobody needs it. */
static void log_unused(struct qmgr *qm, struct agent_log *log)
{
	struct log_job j = { .qm = qm, .log = log };
	if (!log->closed || log->refs > 0)
		return;
	fiber_offload(FIBER_POOL_DURABLE, drop, &j);
	if (j.rc < 0)
		log_warn("%s; it is read and removed at the next start", j.e.text);
	free(log);
}

void agent_log_close(struct qmgr *qm, struct agent_log *log)
{
	sys_close(log->fd);
	log->fd = -1;
	log->closed = true;
	log_unused(qm, log);
}

void message_log_hold(struct message *m, struct agent_log *log)
{
	for (size_t i = 0; i < m->nlogs; i++)
		if (m->logs[i] == log)
			return;
	m->logs = mem_realloc(m->logs, (m->nlogs + 1) * sizeof(*m->logs));
	m->logs[m->nlogs++] = log;
	log->refs++;
}

void message_logs_release(struct message *m)
{
	for (size_t i = 0; i < m->nlogs; i++) {
		m->logs[i]->refs--;
		log_unused(m->qm, m->logs[i]);
	}
	m->nlogs = 0;
}
