/*
 * At start: what an earlier qmgr and its agents left.
 *
 * 1. Results in done-logs go into queue files before anything is scheduled. A delivered recipient
 * is marked, and written to the trace log when its sender wants to know; a failed one is first written
 * to the bounce log, as it would have been then. When bounce cannot take it, the recipient stays as it
 * was: its agent will refuse it again.
 * 2. A done-log is read in pieces of PIECE_RECORDS, each sorted by mail, so that a mail is opened and synced
 * once a piece. It is removed after the queue files that all pieces changed are synced. A crash in between
 * makes the next start fold the same records again: a recipient that is marked already is marked the same
 * once more, because a mark that was not synced, or whose sync failed, is not on disk.
 * 3. Everything in active/ goes back to incoming/.
 * 4. done/clean-stop exists only between a stop after which nothing was left open and the next
 * start. It holds the time before which mails must still be looked upon as perhaps delivered. When
 * it is missing all mails that arrived up to now are. It is gone, durably, before the first
 * delivery.
 */
#include <errno.h>

#include "lib/base/num.h"
#include "lib/clnt/clnt_bounce.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "qmgr/qmgr.h"

#define CLEAN_NAME  "clean-stop"
#define CLEAN_PATH  "done/" CLEAN_NAME

enum {
	PIECE_RECORDS = 4096, /* final results of a done-log that are in memory at once */
	PIECE_MEMORY = PIECE_RECORDS * (QUEUE_RCPT_MAX + 2 * DONE_LOG_RECORD_MAX),
};

/* A result that a done-log tells of and a log of bounce needs, or a failure that nobody wants to know of. */
struct told {
	struct told *next;
	struct sv id;
	uint64_t nonce;
	const char *log; /* "bounce", "trace" */
	struct clnt_bounce_item item;
	int64_t time_s;
	enum queue_cell cell; /* that the recipient gets then */
	bool silent;          /* the sender does not want to know */
};

struct piece_record {
	struct done_record r;
	size_t nth;
};

struct fold {
	struct qmgr *qm;
	const char *name;
	int log;
	off_t at;                   /* of the next piece */
	struct piece_record *piece; /* PIECE_RECORDS */
	size_t npiece;
	struct arena arena;         /* of the piece */
	struct told *told, **tail;  /* of the piece */
	/* the queue file at hand */
	char id[QUEUE_ID_MAX + 1];
	int fd;
	struct queue_mail mail;
	bool open, dirty;
	bool keep; /* the log holds results for a file that cannot be used now */
	size_t folded;
	int rc;
	struct err e;
};

static void close_mail(struct fold *f)
{
	if (f->fd < 0)
		return;
	if (f->dirty && sys_fdatasync(f->fd) < 0)
		f->rc = err_sys(&f->e, errno, "%s: sync of the queue file", f->id);
	if (f->open)
		queue_mail_close(&f->mail);
	sys_close(f->fd);
	f->fd = -1;
	f->open = f->dirty = false;
	f->id[0] = '\0';
}

/* Have the mail of that id open. False: there is none any more, or it cannot be read. */
static bool open_mail(struct fold *f, struct sv id)
{
	enum queue_name where;
	struct err e;
	if (f->id[0] && sv_eqz(id, f->id))
		return f->open;
	close_mail(f);
	if (sv_copyz(id, f->id, sizeof(f->id)) < 0)
		return false;
	int rc = queue_find(&f->qm->q, id, &where, &f->e);
	if (rc == 1)
		rc = queue_open_mail(&f->qm->q, where, id, O_RDWR, &f->fd, &f->e);
	if (rc < 0 && f->e.sys_errno == 0) {
		/* a second link, a directory of that name: this mail's trouble, not everybody's */
		log_warn("%s: %s; what done-log %s tells of it is read again at the next start", f->id,
		        f->e.text, f->name);
		f->keep = true;
		rc = 0;
	}
	if (rc < 0)
		f->rc = -1;
	if (rc != 1) {
		f->fd = -1;
		return false;
	}
	rc = queue_mail_open(&f->mail, f->fd, &e);
	f->open = rc == QUEUE_FILE_OK;
	if (rc < 0) {
		f->rc = -1;
		f->e = e;
	}
	return f->open;
}

/* False: no memory. */
static bool keep(struct fold *f, const struct done_record *r, const struct queue_rcpt *q, const char *log,
        const char *action)
{
	struct arena *a = &f->arena;
	struct told *x = arena_alloc(a, sizeof(*x));
	if (!x)
		return false;
	x->id = arena_sv(a, r->id);
	x->nonce = r->nonce;
	x->log = log;
	x->time_s = r->time_us / 1000000;
	x->cell = r->result == QUEUE_DELIVERED ? QUEUE_CELL_DELIVERED : QUEUE_CELL_BOUNCED;
	x->silent = !qmgr_wants_report(q->notify, r->result);
	x->item = (struct clnt_bounce_item){ .offset = r->offset,
		.recipient = arena_sv(a, q->address),
		.original = arena_sv(a, q->original),
		.orcpt = arena_sv(a, q->orcpt),
		.notify = q->notify,
		.action = sv_z(action),
		.dsn = arena_sv(a, r->dsn),
		.text = arena_sv(a, r->text),
		.remote_mta = SV_NONE,
		.diagnostic = SV_NONE };
	if (a->exhausted)
		return false;
	*f->tail = x;
	f->tail = &x->next;
	return true;
}

static void mark(struct fold *f, uint64_t offset, enum queue_cell cell)
{
	if (queue_mail_mark(f->fd, offset, cell, &f->e) < 0) {
		f->rc = -1;
		return;
	}
	f->dirty = true;
}

/* A final result into the piece, until that is full. */
static bool take_record(void *ctx, const struct done_record *r)
{
	struct fold *f = ctx;
	if (r->result == QUEUE_DEFERRED)
		return true;
	if (f->npiece == PIECE_RECORDS)
		return false;
	struct piece_record *p = &f->piece[f->npiece];
	*p = (struct piece_record){ .r = *r, .nth = f->npiece };
	p->r.id = arena_sv(&f->arena, r->id);
	p->r.dsn = arena_sv(&f->arena, r->dsn);
	p->r.text = arena_sv(&f->arena, r->text);
	f->npiece++;
	return true;
}

static int by_mail(const void *pa, const void *pb)
{
	const struct piece_record *a = pa, *b = pb;
	int d = sv_cmp(a->r.id, b->r.id);
	return d != 0 ? d : (a->nth > b->nth) - (a->nth < b->nth);
}

static void fold_record(struct fold *f, const struct done_record *r)
{
	struct queue_rcpt_cursor c;
	struct queue_rcpt q;
	struct err e;

	if (!open_mail(f, r->id) || f->mail.h.nonce != r->nonce)
		return;
	/* the offset comes from a less trusted process: it must be that of a recipient */
	if (r->offset < f->mail.h.rcpt_offset || r->offset >= f->mail.file_size)
		return;
	queue_rcpt_start(&c, &f->mail, r->offset);
	int rc = queue_rcpt_next(&c, &q, &e);
	if (rc == 1 && q.cell != QUEUE_CELL_PENDING) {
		mark(f, r->offset, q.cell);
	} else if (rc == 1) {
		const char *action = qmgr_action_name(r->action, false);
		if (r->result == QUEUE_BOUNCED) {
			if (!f->qm->core.soft_bounce)
				(void)keep(f, r, &q, "bounce", "failed");
		} else if (!action || !qmgr_wants_report(q.notify, QUEUE_DELIVERED) ||
		           !keep(f, r, &q, "trace", action)) {
			mark(f, r->offset, QUEUE_CELL_DELIVERED);
			f->folded++;
		}
	}
	queue_rcpt_end(&c);
}

static void open_log(void *rec)
{
	struct fold *f = rec;
	f->rc = done_log_open(&f->qm->q, f->name, &f->log, &f->e);
}

/* .rc is 1 when the log goes on behind the piece, 0 when this was the last, or -1. */
static void fold_piece(void *rec)
{
	struct fold *f = rec;
	f->npiece = 0;
	int rc = done_log_read_from(f->log, &f->at, take_record, f, &f->e);
	f->rc = rc;
	if (rc < 0)
		return;
	qsort(f->piece, f->npiece, sizeof(*f->piece), by_mail);
	for (size_t i = 0; i < f->npiece && f->rc >= 0; i++)
		fold_record(f, &f->piece[i].r);
	close_mail(f);
	if (f->rc >= 0)
		f->rc = rc == 0 ? 1 : 0;
}

/* What was kept is told, as far as bounce could take it: a delivery stays one in any case. */
static void mark_told(void *rec)
{
	struct fold *f = rec;
	for (const struct told *x = f->told; x && f->rc >= 0; x = x->next)
		if (x->cell != QUEUE_CELL_PENDING && open_mail(f, x->id) && f->mail.h.nonce == x->nonce) {
			mark(f, x->item.offset, x->cell);
			f->folded++;
		}
	close_mail(f);
}

static void drop_log(void *rec)
{
	struct fold *f = rec;
	f->rc = done_log_remove(&f->qm->q, f->name, &f->e);
}

/* Tell bounce what the piece is to be told of. */
static void tell(struct fold *f)
{
	struct err why = ERR_INIT;
	for (struct told *x = f->told; x; x = x->next) {
		if (x->silent || clnt_bounce_append(f->qm->bounce, x->log, x->id, x->nonce, &x->item, 1, x->time_s,
					 fiber_deadline(QMGR_BOUNCE_MS), &why) >= 0)
			continue;
		bool failed = x->cell == QUEUE_CELL_BOUNCED;
		log_warn("%.*s: a recipient that %s: %s", SV_ARG(x->id),
		        failed ? "failed will be tried once more" : "was delivered is not in trace/",
		        why.text);
		if (failed)
			x->cell = QUEUE_CELL_PENDING;
	}
}

/* One done-log into queue files. 0, or -1: it must be tried again before mail is scheduled. */
static int fold_one(struct qmgr *qm, const char *name, struct err *e)
{
	struct fold f = { .qm = qm, .name = name, .fd = -1, .log = -1 };
	fiber_offload(FIBER_POOL_DURABLE, open_log, &f);
	if (f.rc > 0) {
		f.piece = mem_array(PIECE_RECORDS, sizeof(*f.piece));
		arena_init(&f.arena, PIECE_MEMORY);
		do {
			arena_reset(&f.arena);
			f.told = NULL;
			f.tail = &f.told;
			fiber_offload(FIBER_POOL_DURABLE, fold_piece, &f);
			if (f.rc >= 0 && f.told) {
				tell(&f);
				fiber_offload(FIBER_POOL_DURABLE, mark_told, &f);
			}
		} while (f.rc > 0);
		arena_free(&f.arena);
		free(f.piece);
		sys_close(f.log);
	}
	if (f.rc >= 0 && !f.keep)
		fiber_offload(FIBER_POOL_DURABLE, drop_log, &f);
	if (f.rc >= 0 && f.folded > 0)
		log_info("done-log %s: results of %zu recipients noted", name, f.folded);
	if (f.rc < 0)
		*e = f.e;
	return f.rc < 0 ? -1 : 0;
}

struct name_list {
	struct qmgr *qm;
	char (*v)[DONE_LOG_NAME_MAX + 1];
	size_t n;
	int rc;
	struct err e;
};

static void keep_name(void *ctx, const char *name)
{
	struct name_list *l = ctx;
	if (strcmp(name, CLEAN_NAME) == 0 || strlen(name) > DONE_LOG_NAME_MAX)
		return;
	l->v = mem_realloc(l->v, (l->n + 1) * sizeof(*l->v));
	memcpy(l->v[l->n++], name, strlen(name) + 1);
}

static void list_logs(void *rec)
{
	struct name_list *l = rec;
	l->rc = queue_create_dirs(&l->qm->q, &l->e);
	if (l->rc == 0)
		l->rc = done_log_list(&l->qm->q, keep_name, l, &l->e);
}

static int sync_done_dir(struct queue *q, struct err *e)
{
	int fd = sys_openat(q->root, "done", O_RDONLY | O_DIRECTORY, 0);
	int rc = fd < 0 || sys_fsync(fd) < 0 ? err_sys(e, errno, "sync of done/") : 0;
	if (fd >= 0)
		sys_close(fd);
	return rc;
}

struct clean_job {
	struct qmgr *qm;
	int rc;
	struct err e;
};

/* After a power cut the clock may be behind: mail that is here is older than now, whatever its id says. */
static void look_ahead(struct queue *q, enum queue_name n, int64_t *before)
{
	struct queue_scan scan;
	char id[QUEUE_ID_MAX + 1];
	struct err e;
	int rc;
	queue_scan_start(&scan, q, n);
	while ((rc = queue_scan_next(&scan, id, &e)) == 1) {
		int64_t at = queue_id_time_us(sv_z(id));
		if (at >= *before)
			*before = at + 1;
	}
	if (rc < 0)
		log_warn("%s", e.text);
	queue_scan_end(&scan);
}

/* Read the marker and remove it. */
static void clean_take(void *rec)
{
	struct clean_job *j = rec;
	struct queue *q = &j->qm->q;
	static const enum queue_name places[] = { QUEUE_DIR_INCOMING, QUEUE_DIR_ACTIVE,
		QUEUE_DIR_DEFERRED, QUEUE_DIR_HOLD };
	char text[32];
	int64_t before = qmgr_wall_us();

	int fd = sys_openat(q->root, CLEAN_PATH, O_RDONLY | O_NOFOLLOW, 0);
	bool known = false;
	if (fd >= 0) {
		ssize_t n = sys_read(fd, text, sizeof(text));
		known = n > 0 && num_i64(sv_n(text, (size_t)n), &before) == 1;
		if (!known)
			before = qmgr_wall_us();
		sys_close(fd);
	}
	for (size_t i = 0; i < ARRAY_LEN(places) && !known; i++)
		look_ahead(q, places[i], &before);
	j->qm->suspect_before_us = before;
	j->rc = 0;
	if (sys_unlinkat(q->root, CLEAN_PATH, 0) < 0 && errno != ENOENT)
		j->rc = err_sys(&j->e, errno, "remove " CLEAN_PATH);
	else if (fd >= 0)
		j->rc = sync_done_dir(q, &j->e);
}

static void clean_put(void *rec)
{
	struct clean_job *j = rec;
	struct queue *q = &j->qm->q;
	char text[32];
	int n = snprintf(text, sizeof(text), "%lld", (long long)j->qm->suspect_before_us);
	int fd = sys_openat(q->root, CLEAN_PATH, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	j->rc = 0;
	if (fd < 0 || sys_write_all(fd, text, (size_t)n) < 0 || sys_fsync(fd) < 0)
		j->rc = err_sys(&j->e, errno, "write " CLEAN_PATH);
	if (fd >= 0)
		sys_close(fd);
	if (j->rc == 0)
		j->rc = sync_done_dir(q, &j->e);
}

int qmgr_clean_write(struct qmgr *qm, struct err *e)
{
	struct clean_job j = { .qm = qm };
	fiber_offload(FIBER_POOL_DURABLE, clean_put, &j);
	if (j.rc < 0)
		*e = j.e;
	return j.rc;
}

/* active/ to incoming/: those mails start again. */
static void reset_active(void *rec)
{
	struct clean_job *j = rec;
	struct queue_scan scan;
	char id[QUEUE_ID_MAX + 1];
	struct err e;
	int rc;
	queue_scan_start(&scan, &j->qm->q, QUEUE_DIR_ACTIVE);
	while ((rc = queue_scan_next(&scan, id, &e)) != 0) {
		if (rc == 1)
			rc = queue_move(
			        &j->qm->q, QUEUE_DIR_ACTIVE, QUEUE_DIR_INCOMING, sv_z(id), &e);
		if (rc < 0 && e.sys_errno == 0) {
			log_warn("%s: %s; it stays there until one of the two is removed", id, e.text);
		} else if (rc < 0) {
			j->rc = -1;
			j->e = e;
		}
	}
	queue_scan_end(&scan);
}

int qmgr_recover(struct qmgr *qm, struct err *e)
{
	struct name_list l = { .qm = qm };
	struct clean_job j = { .qm = qm };
	int rc;

	fiber_offload(FIBER_POOL_DURABLE, list_logs, &l);
	rc = l.rc;
	if (rc < 0)
		*e = l.e;
	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = fold_one(qm, l.v[i], e);
	free(l.v);
	if (rc < 0)
		return -1;
	fiber_offload(FIBER_POOL_DURABLE, clean_take, &j);
	if (j.rc == 0)
		fiber_offload(FIBER_POOL_DURABLE, reset_active, &j);
	if (j.rc < 0)
		*e = j.e;
	return j.rc;
}
