/*
 * Which mails come next: what cleanup announced, what a scan of incoming/ found, what in deferred/
 * is due.
 *
 * 1. A mail that nobody announced is found by the scan of incoming/: at start, each
 * queue_run_delay, and when more was announced than could be remembered.
 * 2. New mail and mail that is tried again take turns.
 */
#include <errno.h>
#include <sys/stat.h>

#include "lib/mail/addr.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "qmgr/qmgr.h"

#define SCAN_CHUNK  200
#define CLOCK_SLACK_S 60 /* an adjustment of the clock that needs no word */
#define FLUSHES_MAX 16

struct scan_job {
	struct qmgr *qm;
	struct queue_scan *scan;
	const struct flush_request *only; /* deferred: these sites; NULL: what is due */
	bool all;                         /* deferred: due or not */
	char ids[SCAN_CHUNK][QUEUE_ID_MAX + 1];
	size_t n;
	size_t too_far; /* deferred: mails whose time is of another clock */
	bool end;
	struct err e;
	bool failed;
};

void qmgr_arrived(struct qmgr *qm, struct sv id, enum queue_name from, bool announced)
{
	struct list *l = from == QUEUE_DIR_INCOMING ? &qm->fresh : &qm->old;
	if (!queue_id_valid(id))
		return;
	struct message *m = htab_get(&qm->messages, id);
	if (m) {
		/* a held mail that was released just now, while its last stay here is being
		 * finished */
		m->again |= from == QUEUE_DIR_INCOMING;
		return;
	}
	if (l->count >= QMGR_ARRIVALS_MAX) {
		qm->rescan = true;
		return;
	}
	struct arrival *a = mem_alloc(sizeof(*a));
	a->from = from;
	a->announced = announced;
	memcpy(a->id, id.p, id.len);
	list_push(l, &a->node);
	fiber_event_set(qm->arrived);
}

/* Recipients do not count here: a mail may always hold a few, or one destination that is stuck with many
 * would keep out the mail of all others. */
static bool has_room(const struct qmgr *qm)
{
	return qm->messages.count < (size_t)qm->p.qmgr_message_active_limit;
}

bool qmgr_behind(const struct qmgr *qm)
{
	return qm->fresh.count >= QMGR_BACKLOG_HIGH || !has_room(qm);
}

bool qmgr_next_arrival(struct qmgr *qm, struct arrival *out)
{
	while (!qm->stopping) {
		struct fiber_event *wait = qm->arrived;
		if (!has_room(qm)) {
			wait = qm->room;
		} else {
			struct list *first = qm->old_turn ? &qm->old : &qm->fresh;
			struct list *second = qm->old_turn ? &qm->fresh : &qm->old;
			struct list_node *n = list_pop(first);
			if (!n)
				n = list_pop(second);
			qm->old_turn = !qm->old_turn;
			if (n) {
				struct arrival *a = CONTAINER_OF(n, struct arrival, node);
				*out = *a;
				free(a);
				fiber_event_set(qm->room);
				return true;
			}
		}
		fiber_event_clear(wait);
		if (fiber_event_wait(wait, FIBER_FOREVER) < 0)
			return false;
	}
	return false;
}

static bool site_matches(struct sv domain, const struct sv_list *sites)
{
	for (size_t i = 0; i < sites->n; i++) {
		struct sv site = sites->v[i];
		if (site.len > 1 && site.p[0] == '[' && sv_ends(site, SV("]")) && domain.len > 0 &&
		        domain.p[0] != '[')
			site = sv_sub(site, 1, site.len - 2);
		if (sv_ieq(domain, site))
			return true;
	}
	return false;
}

/* Has a mail in deferred/ a recipient at one of the sites who still waits? */
static bool goes_to(struct qmgr *qm, const char *id, const struct sv_list *sites)
{
	struct queue_mail m;
	struct queue_rcpt_cursor c;
	struct queue_rcpt r;
	struct err e;
	bool found = false;
	int fd;

	if (queue_open_mail(&qm->q, QUEUE_DIR_DEFERRED, sv_z(id), O_RDONLY, &fd, &e) != 1)
		return false;
	if (queue_mail_open(&m, fd, &e) == QUEUE_FILE_OK) {
		queue_rcpt_start(&c, &m, 0);
		while (!found && queue_rcpt_next(&c, &r, &e) == 1) {
			struct sv local, domain;
			found = r.cell == QUEUE_CELL_PENDING &&
			        addr_split(r.address, &local, &domain) &&
			        site_matches(domain, sites);
		}
		queue_rcpt_end(&c);
		queue_mail_close(&m);
	}
	sys_close(fd);
	return found;
}

/* Is a mail in deferred/ to be tried in this run? Its file's time is that of the next attempt, which was never
 * further away than the longest back-off: when it is now, the clock was set back since. */
static bool is_due(struct scan_job *j, const char *id)
{
	char path[QUEUE_PATH_MAX];
	struct stat st;
	if (j->only)
		return goes_to(j->qm, id, &j->only->sites);
	if (j->all)
		return true;
	if (queue_path(QUEUE_DIR_DEFERRED, sv_z(id), path) < 0 ||
	        sys_fstatat(j->qm->q.root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	const struct params_qmgr *p = &j->qm->p;
	int64_t longest = p->maximal_backoff_time > p->minimal_backoff_time ? p->maximal_backoff_time
	                                                                    : p->minimal_backoff_time;
	int64_t left = (int64_t)st.st_mtime - clock_wall_s();
	bool too_far = left > longest + CLOCK_SLACK_S;
	j->too_far += too_far;
	return left <= 0 || too_far;
}

static void scan_chunk(void *rec)
{
	struct scan_job *j = rec;
	size_t seen = 0;
	j->n = 0;
	j->failed = false;
	while (j->n < SCAN_CHUNK && seen < 10 * SCAN_CHUNK) {
		int rc = queue_scan_next(j->scan, j->ids[j->n], &j->e);
		if (rc < 0)
			j->failed = true;
		if (rc == 0) {
			j->end = true;
			return;
		}
		seen++;
		if (rc == 1 && (j->scan->name == QUEUE_DIR_INCOMING || is_due(j, j->ids[j->n])))
			j->n++;
	}
}

/* Walk incoming/ or deferred/. Waits while as much as can be remembered is waiting. */
static void scan_queue(
        struct qmgr *qm, enum queue_name name, const struct flush_request *only, bool all)
{
	struct queue_scan scan;
	struct scan_job *j = mem_alloc(sizeof(*j));
	struct list *l = name == QUEUE_DIR_INCOMING ? &qm->fresh : &qm->old;

	*j = (struct scan_job){ .qm = qm, .scan = &scan, .only = only, .all = all };
	queue_scan_start(&scan, &qm->q, name);
	while (!j->end && !qm->stopping) {
		fiber_offload(FIBER_POOL_DURABLE, scan_chunk, j);
		if (j->failed)
			log_warn("%s", j->e.text);
		for (size_t i = 0; i < j->n; i++)
			qmgr_arrived(qm, sv_z(j->ids[i]), name, false);
		while (l->count > QMGR_ARRIVALS_MAX / 2 && !qm->stopping) {
			fiber_event_clear(qm->room);
			if (fiber_event_wait(qm->room, fiber_deadline(1000)) < 0)
				break;
		}
	}
	queue_scan_end(&scan);
	if (j->too_far > 0)
		log_warn("deferred/: %zu mails were to wait longer than maximal_backoff_time: was the clock set back? "
		         "They are tried now",
		        j->too_far);
	if (scan.odd > 0)
		log_warn(
		        "%s/ holds %u files that are no mails of this program; they are left alone",
		        queue_dir_name(name), scan.odd);
	free(j);
}

static void flush_request_free(struct flush_request *f)
{
	arena_free(&f->arena);
	free(f);
}

int qmgr_flush(struct qmgr *qm, const struct sv_list *sites, const struct sv_list *ids)
{
	if (qm->flushes.count >= FLUSHES_MAX)
		return -1;
	struct flush_request *f = mem_alloc(sizeof(*f));
	arena_init(&f->arena, 2u << 20);
	f->sites = (struct sv_list){ arena_array(&f->arena, sites->n + 1, sizeof(struct sv)),
		sites->n };
	f->ids = (struct sv_list){ arena_array(&f->arena, ids->n + 1, sizeof(struct sv)), ids->n };
	for (size_t i = 0; i < sites->n && f->sites.v; i++)
		f->sites.v[i] = arena_sv(&f->arena, sites->v[i]);
	for (size_t i = 0; i < ids->n && f->ids.v; i++)
		f->ids.v[i] = arena_sv(&f->arena, ids->v[i]);
	if (f->arena.exhausted) {
		flush_request_free(f);
		return -1;
	}
	list_push(&qm->flushes, &f->node);
	fiber_event_set(qm->run);
	return 0;
}

static void do_flush(struct qmgr *qm, struct flush_request *f)
{
	sched_revive(&qm->sched, true, clock_mono_ms());
	if (f->sites.n == 0 && f->ids.n == 0) {
		scan_queue(qm, QUEUE_DIR_INCOMING, NULL, false);
		scan_queue(qm, QUEUE_DIR_DEFERRED, NULL, true);
	}
	for (size_t i = 0; i < f->ids.n; i++)
		qmgr_arrived(qm, f->ids.v[i], QUEUE_DIR_DEFERRED, false);
	if (f->sites.n > 0)
		scan_queue(qm, QUEUE_DIR_DEFERRED, f, false);
	flush_request_free(f);
}

void qmgr_scan_fiber(void *arg)
{
	struct qmgr *qm = arg;
	int64_t next = 0;
	while (!qm->stopping) {
		struct list_node *n = list_pop(&qm->flushes);
		if (n) {
			do_flush(qm, CONTAINER_OF(n, struct flush_request, node));
			continue;
		}
		if (clock_mono_ms() >= next) {
			next = clock_mono_ms() + qm->p.queue_run_delay * 1000;
			sched_revive(&qm->sched, false, clock_mono_ms());
			qm->rescan = false;
			scan_queue(qm, QUEUE_DIR_INCOMING, NULL, false);
			scan_queue(qm, QUEUE_DIR_DEFERRED, NULL, false);
			continue;
		}
		if (qm->rescan && qm->fresh.count < QMGR_ARRIVALS_MAX / 2) {
			qm->rescan = false;
			scan_queue(qm, QUEUE_DIR_INCOMING, NULL, false);
			continue;
		}
		fiber_event_clear(qm->run);
		if (fiber_event_wait(qm->run, qm->rescan ? fiber_deadline(1000) : next) < 0)
			return;
	}
}
