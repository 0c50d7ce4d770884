/*
 * partial/ID.OFFSET in the queue directory: what the parts of one recipient's expansion came to, so that a
 * command is not run again because another part has to wait. Records are those of a done-log, with a hash of
 * the part where a recipient's offset stands. Written before the next part is begun; gone when the recipient
 * is done. A mail that leaves the queue otherwise (expired, deleted) leaves its file for local_parts_clean().
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/base/hash.h"
#include "lib/fiber/fiber.h"
#include "lib/queue/done_log.h"
#include "lib/queue/queue_id.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "local/local.h"

#define PATH_SIZE (sizeof(LOCAL_PARTIAL) + QUEUE_ID_MAX + 20)
#define KEEP_S    86400 /* beyond the longest life of a mail */

struct local_part {
	uint64_t key;
	struct deliver_outcome o;
	enum queue_action action;
};

struct local_parts {
	const struct local_rcpt *r;
	int fd;
	char path[PATH_SIZE];
	struct local_part *v;
	size_t n, cap;
	int rc;
	struct err err;
};

uint64_t local_part_key(const char *kind, struct sv text)
{
	const struct hash_seed fixed = { 0, 0 };
	struct buf b;
	buf_init(&b, text.len + 64);
	(void)buf_printf(&b, "%s ", kind);
	(void)buf_put_sv(&b, text);
	uint64_t key = hash_sip(fixed, b.p, b.len);
	buf_free(&b);
	return key;
}

static bool take_record(void *ctx, const struct done_record *rec)
{
	struct local_parts *p = ctx;
	if (rec->nonce != p->r->rq->nonce || rec->result == QUEUE_DEFERRED)
		return true;
	if (p->n == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 8;
		p->v = mem_realloc(p->v, p->cap * sizeof(*p->v));
	}
	struct local_part *part = &p->v[p->n++];
	struct sv unused;
	*part = (struct local_part){ .key = rec->offset, .action = rec->action };
	part->o.status = rec->result == QUEUE_DELIVERED ? DELIVER_SENT : DELIVER_BOUNCED;
	dsn_split(rec->dsn, DSN(2, 0, 0), &part->o.dsn, &unused);
	(void)snprintf(part->o.text, sizeof(part->o.text), "%.*s", SV_ARG(rec->text));
	return true;
}

static void open_run(void *rec)
{
	struct local_parts *p = rec;
	p->fd = sys_open(p->path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
	if (p->fd < 0)
		p->rc = err_sys(&p->err, errno, "open %s", p->path);
	else
		p->rc = done_log_read(p->fd, take_record, p, &p->err) < 0 ? -1 : 0;
}

static void path_of(const struct local_rcpt *r, char out[PATH_SIZE])
{
	struct sv id = r->rq->queue_id;
	if (!queue_id_valid(id)) /* from qmgr, and yet it becomes a path */
		log_bug("\"%.*s\" is no queue id", SV_ARG(id));
	(void)snprintf(out, PATH_SIZE, LOCAL_PARTIAL "/%.*s.%" PRIx64, SV_ARG(id), r->rq->rcpts[r->i].offset);
}

struct local_parts *local_parts_open(const struct local_rcpt *r, struct err *e)
{
	struct local_parts *p = mem_alloc(sizeof(*p));
	*p = (struct local_parts){ .r = r, .fd = -1 };
	path_of(r, p->path);
	fiber_offload(FIBER_POOL_DURABLE, open_run, p);
	if (p->rc == 0)
		return p;
	*e = p->err;
	local_parts_close(p, true);
	return NULL;
}

bool local_parts_find(const struct local_parts *p, uint64_t key, struct deliver_outcome *out)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].key == key) {
			*out = p->v[i].o;
			p->r->rq->rcpts[p->r->i].action = p->v[i].action;
			return true;
		}
	return false;
}

struct add_job {
	struct local_parts *p;
	struct done_record rec;
	int rc;
	struct err err;
};

static void add_run(void *rec)
{
	struct add_job *j = rec;
	j->rc = done_log_append(j->p->fd, &j->rec, 1, &j->err);
}

void local_parts_add(struct local_parts *p, uint64_t key, const struct deliver_outcome *o)
{
	const struct deliver_request *rq = p->r->rq;
	char code[DSN_TEXT_MAX];
	if (o->status != DELIVER_SENT && o->status != DELIVER_BOUNCED)
		return;
	struct add_job j = { .p = p,
		.rec = { .id = rq->queue_id,
		        .nonce = rq->nonce,
		        .offset = key,
		        .result = o->status == DELIVER_SENT ? QUEUE_DELIVERED : QUEUE_BOUNCED,
		        .action = rq->rcpts[p->r->i].action,
		        .time_us = clock_wall_s() * 1000000,
		        .dsn = sv_z(dsn_format(o->dsn, code)),
		        .text = sv_z(o->text) } };
	fiber_offload(FIBER_POOL_DURABLE, add_run, &j);
	if (j.rc < 0)
		log_warn("%.*s: %s: %s: this part may be delivered once more", SV_ARG(rq->queue_id), p->path,
		        j.err.text);
}

struct close_job {
	struct local_parts *p;
	bool keep;
};

static void close_run(void *rec)
{
	struct close_job *j = rec;
	if (j->keep && j->p->fd >= 0)
		(void)sys_fdatasync(j->p->fd); /* after a power cut a part may come twice, never not at all */
	else if (!j->keep && sys_unlink(j->p->path) < 0)
		log_warn("remove %s: %s", j->p->path, strerror(errno));
	sys_close(j->p->fd);
}

void local_parts_close(struct local_parts *p, bool keep)
{
	if (!p)
		return;
	struct close_job j = { .p = p, .keep = keep };
	if (p->fd >= 0)
		fiber_offload(FIBER_POOL_DURABLE, close_run, &j);
	free(p->v);
	free(p);
}

/* --- marks ------------------------------------------------------------------------------------- */

bool local_parts_marked(const struct local_rcpt *r)
{
	char path[PATH_SIZE];
	struct stat st;
	path_of(r, path);
	/* what cannot be known is taken for marked: that costs a look into a directory */
	return sys_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

void local_parts_mark(const struct local_rcpt *r)
{
	struct err e = ERR_INIT;
	struct local_parts *p = local_parts_open(r, &e);
	if (!p)
		log_warn("%.*s: %s: the mail may come twice", SV_ARG(r->rq->queue_id), e.text);
	local_parts_close(p, true);
}

void local_parts_unmark(const struct local_rcpt *r)
{
	struct err e = ERR_INIT;
	local_parts_close(local_parts_open(r, &e), false);
}

struct clean_job {
	int64_t before; /* seconds */
};

static void clean_run(void *rec)
{
	const struct clean_job *j = rec;
	struct stat st;
	if (sys_mkdir(LOCAL_PARTIAL, 0700) < 0 && errno != EEXIST)
		log_warn("make " LOCAL_PARTIAL ": %s", strerror(errno));
	DIR *d = opendir(LOCAL_PARTIAL);
	if (!d)
		return; /* whoever needs it will tell */
	for (struct dirent *en; (en = readdir(d));)
		if (en->d_name[0] != '.' && sys_fstatat(dirfd(d), en->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		        st.st_mtime < j->before)
			(void)sys_unlinkat(dirfd(d), en->d_name, 0);
	closedir(d);
}

void local_parts_clean(int64_t lifetime_s)
{
	struct clean_job j = { .before = clock_wall_s() - lifetime_s - KEEP_S };
	fiber_offload(FIBER_POOL_DURABLE, clean_run, &j);
}
