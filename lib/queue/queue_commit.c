/*
 * The writer. Commits that come while a batch is at work form the next one, which is one offload job. Order
 * (doc/queue.md argues each step), each step for all of a batch before the next:
 *
 *   1  create incoming/h/ID exclusively, mode 0600; flock(LOCK_EX)     unless streaming did so
 *   2  write what is missing: content, envelope, header last (a small mail: one write of everything)
 *   3  fsync the file
 *   4  fsync the directories, each once, shared with other batches that wait for the same
 *   5  close, which releases the lock
 *
 * An error at any step: unlink, close. A crash before the header is on disk leaves a file that everybody
 * knows as incomplete; a crash between header and answer leaves a mail that was not acknowledged, whole
 * (its checksums say so) or corrupt, never half.
 */
#include "lib/queue/queue_commit.h"

#include <errno.h>
#include <sys/file.h>

#include "lib/base/num.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/clock.h"
#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

enum {
	ONE_WRITE_MAX = 256 * 1024,          /* content and envelope up to here are joined for one write */
	WRITER_ENVELOPE_MAX = 64 * 1024 * 1024,
	BATCH_MAX = 64,                      /* commits: the first one waits for the last one's fsync */
	TURNS_MIN = 4,
	TURNS_MAX = 16,                      /* batches at work; the pool of threads should not be smaller */
	TURN_US = 500,                       /* of an fsync, that make another turn */
};

void queue_writer_init(struct queue_writer *w, struct queue *q, int64_t arrival_us)
{
	memset(w, 0, sizeof(*w));
	w->q = q;
	w->fd = -1;
	w->last = -1;
	w->in_header = true;
	if (arrival_us == 0) {
		struct timespec now = clock_wall();
		arrival_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	}
	w->h.arrival_us = arrival_us;
	w->h.nonce = rand_u64();
	queue_id_make(arrival_us, w->h.id);
	w->h.content_offset = QUEUE_HEADER_SIZE;
	buf_init(&w->out, WRITER_ENVELOPE_MAX + ONE_WRITE_MAX);
	buf_init(&w->envelope, WRITER_ENVELOPE_MAX);
	static const char header_room[QUEUE_HEADER_SIZE];
	(void)buf_put(&w->out, header_room, sizeof(header_room));
}

/* --- the directory's fsync, shared ------------------------------------------------------------------- */

/* The state of W's directory, and its path. NULL: not a queue id. */
static struct queue_dirsync *dirsync_of(const struct queue_writer *w, char path[QUEUE_PATH_MAX], struct err *e)
{
	if (queue_path(QUEUE_DIR_INCOMING, sv_z(w->h.id), path) < 0) {
		err_set(e, ERR_BUG, "\"%s\" is not a queue id", w->h.id);
		return NULL;
	}
	char *slash = strrchr(path, '/');
	*slash = '\0';
	return &w->q->incoming[num_hex(slash[-1]) & (QUEUE_HASH_DIRS - 1)];
}

/* Before the entry is made: the descriptor that will vouch for it is open, failures from here on count. */
static int dirsync_begin(struct queue_writer *w, struct err *e)
{
	char path[QUEUE_PATH_MAX];
	struct queue_dirsync *d = dirsync_of(w, path, e);
	if (!d)
		return -1;
	pthread_mutex_lock(&d->lock);
	int rc = 0;
	if (d->fd < 0)
		d->fd = sys_openat(w->q->root, path, O_RDONLY | O_DIRECTORY, 0);
	if (d->fd < 0)
		rc = err_sys(e, errno, "open queue directory %s", path);
	w->failures = d->failures;
	pthread_mutex_unlock(&d->lock);
	return rc;
}

/* One round of fsync for all who asked before it starts. Called and left with D locked. */
static void dirsync_round(struct queue_dirsync *d)
{
	uint64_t covers = d->asked;
	d->running = true;
	pthread_mutex_unlock(&d->lock);
	int rc = sys_fsync(d->fd);
	int saved = errno;
	pthread_mutex_lock(&d->lock);
	if (rc < 0) {
		d->failures++;
		d->failed_errno = saved;
	}
	d->done = covers;
	d->running = false;
	pthread_cond_broadcast(&d->changed);
}

/* Take a ticket: one round answers all that were taken before it. */
static uint64_t dirsync_ask(struct queue_writer *w)
{
	struct queue_dirsync *d = &w->q->incoming[num_hex(queue_id_hash(sv_z(w->h.id))) & (QUEUE_HASH_DIRS - 1)];
	pthread_mutex_lock(&d->lock);
	uint64_t ticket = ++d->asked;
	pthread_mutex_unlock(&d->lock);
	return ticket;
}

static int dirsync_wait(struct queue_writer *w, uint64_t ticket, struct err *e)
{
	char path[QUEUE_PATH_MAX];
	struct queue_dirsync *d = dirsync_of(w, path, e);
	if (!d)
		return -1;
	pthread_mutex_lock(&d->lock);
	while (d->done < ticket && d->failures == w->failures) {
		if (d->running)
			pthread_cond_wait(&d->changed, &d->lock);
		else
			dirsync_round(d);
	}
	int failed = d->failures != w->failures ? d->failed_errno : 0;
	pthread_mutex_unlock(&d->lock);
	return failed ? err_sys(e, failed, "fsync queue directory %s", path) : 0;
}

/* --- work in the thread ------------------------------------------------------------------------------ */

struct job {
	struct queue_writer *w;
	struct err *e;
	int rc;
	uint64_t ticket;  /* of its directory's fsync */
	struct job *next; /* of the same batch */
};

/* Commits that are made durable together; lies on the stack of the fiber that began it. */
struct commit_batch {
	struct job *first, **last;
	unsigned count;
	int64_t sync_us; /* that the fsyncs of its files took */
	struct fiber_event *done;
};

static int create_file(struct queue_writer *w, struct err *e)
{
	char path[QUEUE_PATH_MAX];
	if (queue_path(QUEUE_DIR_INCOMING, sv_z(w->h.id), path) < 0)
		return err_set(e, ERR_BUG, "\"%s\" is not a queue id", w->h.id);
	if (dirsync_begin(w, e) < 0)
		return -1;
	w->fd = sys_openat(w->q->root, path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0600);
	if (w->fd < 0)
		return err_sys(e, errno, "create %s", path);
	struct stat st;
	if (flock(w->fd, LOCK_EX | LOCK_NB) < 0 || sys_fstat(w->fd, &st) < 0)
		return err_sys(e, errno, "lock %s", path);
	if (st.st_nlink == 0) /* we slept so long before the lock that it was taken for a leftover */
		return err_set(e, ERR_TEMP, "%s was removed before it was locked", path);
	return 0;
}

static int flush_out(struct queue_writer *w, struct err *e)
{
	if (sys_pwrite_all(w->fd, w->out.p, w->out.len, (off_t)w->flushed) < 0)
		return err_sys(e, errno, "write queue file %s", w->h.id);
	w->flushed += w->out.len;
	buf_reset(&w->out);
	return 0;
}

static void remove_file(struct queue_writer *w)
{
	char path[QUEUE_PATH_MAX];
	if (w->fd < 0)
		return;
	if (queue_path(QUEUE_DIR_INCOMING, sv_z(w->h.id), path) == 0)
		(void)sys_unlinkat(w->q->root, path, 0);
	sys_close(w->fd);
	w->fd = -1;
}

static void spill_job(void *rec)
{
	struct job *j = rec;
	j->rc = j->w->fd < 0 ? create_file(j->w, j->e) : 0;
	if (j->rc == 0)
		j->rc = flush_out(j->w, j->e);
	if (j->rc < 0)
		remove_file(j->w);
}

static void remove_job(void *rec)
{
	remove_file(((struct job *)rec)->w);
}

/* Write all that is missing, header last. */
static int write_rest(struct queue_writer *w, struct err *e)
{
	unsigned char header[QUEUE_HEADER_SIZE];
	queue_header_encode(&w->h, header);
	if (w->flushed == 0 && w->out.len + w->envelope.len <= ONE_WRITE_MAX) {
		memcpy(w->out.p, header, sizeof(header));
		if (buf_put_sv(&w->out, buf_sv(&w->envelope)) < 0)
			return err_set(e, ERR_BUG, "queue file %s: no room for its envelope", w->h.id);
		return flush_out(w, e);
	}
	if (flush_out(w, e) < 0)
		return -1;
	if (sys_pwrite_all(w->fd, w->envelope.p, w->envelope.len, (off_t)w->flushed) < 0 ||
		sys_pwrite_all(w->fd, header, sizeof(header), 0) < 0)
		return err_sys(e, errno, "write queue file %s", w->h.id);
	return 0;
}

/* Files on their way to the disk before anybody waits for one. */
static void write_file(struct job *j, bool start)
{
	struct queue_writer *w = j->w;
	j->rc = w->fd < 0 ? create_file(w, j->e) : 0;
	if (j->rc == 0)
		j->rc = write_rest(w, j->e);
	if (j->rc == 0 && start)
		sys_writeout_start(w->fd);
}

static void sync_file(struct job *j)
{
	if (j->rc == 0 && sys_fsync(j->w->fd) < 0)
		j->rc = err_sys(j->e, errno, "fsync queue file %s", j->w->h.id);
}

static void end_file(struct job *j)
{
	if (j->rc < 0) {
		remove_file(j->w);
		return;
	}
	sys_close(j->w->fd);
	j->w->fd = -1;
}

static void batch_job(void *rec)
{
	struct commit_batch *b = rec;
	for (struct job *j = b->first; j; j = j->next)
		write_file(j, b->count > 1);
	int64_t before = clock_cost_us();
	for (struct job *j = b->first; j; j = j->next)
		sync_file(j);
	b->sync_us = clock_cost_us() - before;
	for (struct job *j = b->first; j; j = j->next)
		if (j->rc == 0)
			j->ticket = dirsync_ask(j->w);
	for (struct job *j = b->first; j; j = j->next)
		if (j->rc == 0)
			j->rc = dirsync_wait(j->w, j->ticket, j->e);
	for (struct job *j = b->first; j; j = j->next)
		end_file(j);
}

static int run(struct queue_writer *w, void (*fn)(void *), struct err *e)
{
	struct err own = ERR_INIT;
	struct job j = { .w = w, .e = e ? e : &own };
	fiber_offload(FIBER_POOL_DURABLE, fn, &j);
	if (j.rc < 0)
		w->failed = true;
	return j.rc;
}

/* --- on the fiber -------------------------------------------------------------------------------------- */

static void join(struct commit_batch *b, struct job *j)
{
	*b->last = j;
	b->last = &j->next;
	b->count++;
}

/*
 * Give the turn of B on. One fsync is a wait for a flush of the device's cache, and flushes that threads ask for
 * at once are one: the longer it takes, the more batches go side by side. Where it is short, few batches save
 * wake-ups and fsyncs of directories. The number of turns moves by one a batch.
 */
static void end_turn(struct queue *q, const struct commit_batch *b)
{
	int64_t want = TURNS_MIN + b->sync_us / b->count / TURN_US;
	if (want < q->nturns) {
		q->nturns--;
		return;
	}
	fiber_sem_give(q->turns);
	if (want > q->nturns && q->nturns < TURNS_MAX) {
		q->nturns++;
		fiber_sem_give(q->turns);
	}
}

/* The turn did not come: nothing was begun for any of B. */
static void give_up(const struct queue *q, struct commit_batch *b)
{
	for (struct job *j = b->first; j; j = j->next)
		j->rc = err_set(j->e, ERR_TEMP, "queue file %s: the disk has been busy for %lld s", j->w->h.id,
			(long long)(q->turn_ms / 1000));
}

/* Begin a batch with J and see it through. Others join until its turn comes, and while this fiber lets those
 * run that are ready now. */
static void lead(struct queue *q, struct job *j)
{
	struct commit_batch b = { .last = &b.first, .done = fiber_event_new() };
	if (!q->turns) {
		q->nturns = TURNS_MIN;
		q->turns = fiber_sem_new(q->nturns);
	}
	join(&b, j);
	q->forming = &b;
	bool has_turn = fiber_sem_take(q->turns, fiber_deadline(q->turn_ms)) == 1;
	if (has_turn)
		(void)fiber_yield();
	if (q->forming == &b)
		q->forming = NULL;
	if (has_turn) {
		fiber_offload(FIBER_POOL_DURABLE, batch_job, &b);
		end_turn(q, &b);
	} else {
		give_up(q, &b);
	}
	fiber_event_set(b.done);
	fiber_event_free(b.done);
}

static int commit_together(struct queue_writer *w, struct err *e)
{
	struct err own = ERR_INIT;
	struct queue *q = w->q;
	struct job j = { .w = w, .e = e ? e : &own };
	bool before = fiber_shield(true); /* the thread works on this stack */
	if (q->forming && q->forming->count < BATCH_MAX) {
		join(q->forming, &j);
		/* as long as the one who leads it waits for its turn, and then for the disk: queue_commit.h */
		(void)fiber_event_wait(q->forming->done, FIBER_FOREVER);
	} else if (fiber_self()) {
		lead(q, &j);
	} else {
		struct commit_batch alone = { .first = &j, .count = 1 };
		batch_job(&alone);
	}
	fiber_shield(before);
	if (j.rc < 0)
		w->failed = true;
	return j.rc;
}

void queue_writer_fini(struct queue_writer *w)
{
	if (w->fd >= 0)
		(void)run(w, remove_job, NULL);
	buf_free(&w->out);
	buf_free(&w->envelope);
}

static void note_line_start(struct queue_writer *w, char first)
{
	if (first == '.')
		w->h.content_flags |= QUEUE_CONTENT_LEADING_DOT;
	if (first == '\n')
		w->in_header = false;
}

/* Octets of one line, without its end. */
static void note_octets(struct queue_writer *w, struct sv part)
{
	unsigned char all = 0;
	bool nul = false, cr = false;
	for (size_t i = 0; i < part.len; i++) {
		all |= (unsigned char)part.p[i];
		nul |= part.p[i] == '\0';
		cr |= part.p[i] == '\r';
	}
	if (all & 0x80)
		w->h.content_flags |= QUEUE_CONTENT_8BIT | (w->in_header ? QUEUE_CONTENT_8BIT_HEADER : 0u);
	if (nul)
		w->h.content_flags |= QUEUE_CONTENT_NUL;
	if (cr)
		w->h.content_flags |= QUEUE_CONTENT_BARE_CR;
	w->line += part.len;
	if (w->line > w->h.longest_line)
		w->h.longest_line = w->line;
}

static void note_content(struct queue_writer *w, struct sv octets)
{
	w->h.content_crc = num_crc32c(w->h.content_crc, octets.p, octets.len);
	w->h.content_size += octets.len;
	w->h.crlf_size += octets.len;
	while (octets.len > 0) {
		if (w->line == 0)
			note_line_start(w, octets.p[0]);
		const char *lf = memchr(octets.p, '\n', octets.len);
		size_t n = lf ? (size_t)(lf - octets.p) : octets.len;
		note_octets(w, sv_upto(octets, n));
		if (!lf)
			return;
		w->h.crlf_size++;
		w->line = 0;
		octets = sv_from(octets, n + 1);
	}
}

int queue_writer_put(struct queue_writer *w, struct sv octets, struct err *e)
{
	if (w->failed)
		return err_set(e, ERR_BUG, "queue file %s: write after an error", w->h.id);
	while (octets.len > 0) {
		struct sv part = sv_upto(octets, QUEUE_SMALL);
		octets = sv_from(octets, part.len);
		note_content(w, part);
		w->last = (unsigned char)part.p[part.len - 1];
		if (buf_put_sv(&w->out, part) < 0)
			return err_set(e, ERR_BUG, "queue file %s: buffer too small", w->h.id);
		if (w->out.len > QUEUE_SMALL + QUEUE_HEADER_SIZE && run(w, spill_job, e) < 0)
			return -1;
	}
	return 0;
}

static int too_large(struct queue_writer *w, struct err *e)
{
	w->failed = true;
	return err_set(e, ERR_PERM, "envelope of %s is too large", w->h.id);
}

int queue_writer_facts(struct queue_writer *w, const struct queue_facts *f, struct err *e)
{
	if (w->facts_done)
		return err_set(e, ERR_BUG, "queue file %s: facts twice", w->h.id);
	w->facts_done = true;
	if (queue_facts_encode(f, &w->envelope) < 0)
		return too_large(w, e);
	w->h.envelope_crc = num_crc32c(0, w->envelope.p, w->envelope.len);
	return 0;
}

int queue_writer_rcpt(struct queue_writer *w, const struct queue_rcpt *r, struct err *e)
{
	if (!w->facts_done)
		return err_set(e, ERR_BUG, "queue file %s: recipient before facts", w->h.id);
	size_t start = w->envelope.len;
	if (w->h.rcpt_count == 0)
		w->h.rcpt_offset = start; /* completed at commit */
	if (queue_rcpt_encode(r, &w->envelope) < 0)
		return too_large(w, e);
	w->h.envelope_crc = num_crc32c(w->h.envelope_crc, w->envelope.p + start, w->envelope.len - start);
	w->envelope.p[start + QUEUE_CELL_AT] = (char)r->cell; /* the CRC counts it as zero */
	w->h.rcpt_count++;
	return 0;
}

int queue_commit(struct queue_writer *w, struct err *e)
{
	if (w->failed || w->committed || !w->facts_done)
		return err_set(e, ERR_BUG, "queue file %s: cannot be committed now", w->h.id);
	if (w->last >= 0 && w->last != '\n' && queue_writer_put(w, SV("\n"), e) < 0)
		return -1;
	if (w->h.rcpt_count == 0)
		w->h.rcpt_offset = w->envelope.len;
	w->h.envelope_offset = QUEUE_HEADER_SIZE + w->h.content_size;
	w->h.rcpt_offset += w->h.envelope_offset;
	if (queue_end_encode(&w->h, &w->envelope) < 0)
		return too_large(w, e);
	w->h.envelope_size = w->envelope.len;
	if (commit_together(w, e) < 0)
		return -1;
	w->committed = true;
	return 0;
}
