#include "lib/store/maildir_mail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#define READ_BLOCK (128 * 1024)

static int dir_of(const struct maildir_dir *d, const struct box_rec *r)
{
	return r->where == BOX_NEW ? d->new_ : d->cur;
}

/* The record of UID when its file is there; else NULL. After a new UIDVALIDITY no UID means what the
 * caller thinks it means. */
static struct box_rec *present(struct maildir_box *b, uint32_t uid)
{
	struct box_rec *r = b->lost ? NULL : maildir_box_find(b, uid);
	return r && r->where != BOX_ABSENT ? r : NULL;
}

/* The file was not where the table says: look at the disk. The record, or NULL: gone, or -1 in *RC. */
static struct box_rec *look_again(struct maildir_box *b, uint32_t uid, int *rc, struct err *e)
{
	b->dirty = true;
	*rc = maildir_box_sync(b, e);
	return *rc == 1 ? present(b, uid) : NULL;
}

/* Octets with CRLF line ends. 0 or -1. */
static int count_crlf(int fd, uint64_t *vsize)
{
	char *block = mem_alloc(READ_BLOCK);
	uint64_t total = 0;
	char last = '\0';
	off_t off = 0;
	ssize_t n;
	while ((n = sys_pread(fd, block, READ_BLOCK, off)) > 0) {
		const char *p = block, *end = block + n;
		total += (uint64_t)n;
		while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
			char before = p > block ? p[-1] : last;
			total += before != '\r';
			p++;
		}
		last = block[n - 1];
		off += n;
	}
	free(block);
	*vsize = total;
	return n < 0 ? -1 : 0;
}

/* Size, date and CRLF size of an open file. 0 or -1. */
static int learn(struct maildir_box *b, struct box_rec *r, const struct maildir_dir *d, int fd,
        bool vsize, struct err *e)
{
	struct stat st;
	if (sys_fstat(fd, &st) < 0)
		return err_sys(e, errno, "stat %s/%s", d->path, r->base);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_TEMP, "%s/%s is not a regular file", d->path, r->base);
	if (r->size != (uint64_t)st.st_size) {
		if (r->size != 0)
			log_warn("%s/%s: the size in its name is wrong", d->path, r->base);
		r->vsize = 0;
	}
	r->size = (uint64_t)st.st_size;
	r->mtime = (int64_t)st.st_mtime;
	if (!vsize || r->vsize != 0 || r->size == 0)
		return 0;
	if (count_crlf(fd, &r->vsize) < 0)
		return err_sys(e, errno, "read %s/%s", d->path, r->base);
	maildir_box_learned(b, r);
	return 0;
}

static int open_rec(const struct maildir_dir *d, const struct box_rec *r)
{
	char name[MAILDIR_NAME_MAX + 1];
	maildir_box_name(r, name);
	return sys_openat(dir_of(d, r), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
}

static int open_mail(struct maildir_box *b, const struct maildir_dir *d, uint32_t uid,
        struct box_rec **out, struct err *e)
{
	int rc = 1, fd = -1;
	struct box_rec *r = present(b, uid);
	*out = NULL;
	if (!r)
		return 0;
	fd = open_rec(d, r);
	if (fd < 0 && errno == ENOENT) {
		r = look_again(b, uid, &rc, e);
		if (!r)
			return rc < 0 ? -1 : 0;
		fd = open_rec(d, r);
	}
	if (fd < 0 && errno == ENOENT)
		return 0;
	*out = r;
	return fd < 0 ? err_sys(e, errno, "open %s/cur/%s", d->path, r->base) : fd;
}

int maildir_mail_open(
        struct maildir_box *b, const struct maildir_dir *d, uint32_t uid, int *fd, struct err *e)
{
	struct box_rec *r;
	int got = open_mail(b, d, uid, &r, e);
	if (!r)
		return got;
	if (got < 0 || learn(b, r, d, got, true, e) < 0) {
		if (got >= 0)
			sys_close(got);
		return -1;
	}
	*fd = got;
	return 1;
}

int maildir_mail_stat(
        struct maildir_box *b, const struct maildir_dir *d, uint32_t uid, bool vsize, struct err *e)
{
	struct box_rec *r = present(b, uid);
	if (r && (vsize ? r->vsize != 0 : r->mtime != 0))
		return 1;
	if (r && !vsize) {
		char name[MAILDIR_NAME_MAX + 1];
		struct stat st;
		maildir_box_name(r, name);
		if (sys_fstatat(dir_of(d, r), name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			r->mtime = (int64_t)st.st_mtime;
			r->size = (uint64_t)st.st_size;
			return 1;
		}
	}
	int fd, rc = maildir_mail_open(b, d, uid, &fd, e);
	if (rc == 1)
		sys_close(fd);
	return rc;
}

/* --- flags -------------------------------------------------- */

static uint32_t apply(enum store_flag_op op, uint32_t have, uint32_t arg, uint32_t keep)
{
	switch (op) {
	case STORE_FLAGS_ADD: return have | arg;
	case STORE_FLAGS_REMOVE: return have & ~arg;
	case STORE_FLAGS_SET: return (have & keep) | (arg & ~keep);
	}
	return have;
}

/* 1 renamed or nothing to do; 0 not where the table says; -1. */
static int rename_flags(const struct maildir_dir *d, struct box_rec *r,
        const struct mail_flag_change *c, struct err *e)
{
	char old[MAILDIR_NAME_MAX + 1];
	maildir_box_name(r, old);
	uint32_t flags = apply(c->op, r->flags, c->flags, STORE_PASSED);
	uint32_t keywords = apply(c->op, r->keywords, c->keywords, 0);
	struct buf name;
	buf_init(&name, MAILDIR_NAME_MAX);
	int rc = 1;
	if (maildir_name_format(&name, sv_z(r->base), flags, keywords, sv_z(r->info)) < 0)
		rc = err_set(e, ERR_TEMP, "%s/%s: name too long for its flags", d->path, r->base);
	else if (r->where == BOX_NEW || !sv_eqz(buf_sv(&name), old)) {
		if (sys_renameat(dir_of(d, r), old, d->cur, buf_z(&name)) < 0)
			rc = errno == ENOENT ? 0
			                     : err_sys(e, errno, "rename %s/cur/%s", d->path, old);
	}
	if (rc == 1) {
		r->where = BOX_CUR;
		r->flags = flags;
		r->keywords = keywords;
		maildir_rec_set_info(r, buf_sv(&name));
	}
	buf_free(&name);
	return rc;
}

int maildir_mail_flags(struct maildir_box *b, const struct maildir_dir *d, uint32_t uid,
        const struct mail_flag_change *c, struct err *e)
{
	struct box_rec *r = present(b, uid);
	int rc = r ? rename_flags(d, r, c, e) : 0;
	if (r && rc == 0) {
		r = look_again(b, uid, &rc, e);
		if (!r)
			return rc < 0 ? -1 : 0;
		rc = rename_flags(d, r, c, e);
	}
	return rc;
}

int maildir_mail_remove(
        struct maildir_box *b, const struct maildir_dir *d, uint32_t uid, struct err *e)
{
	for (int look = 0; look < 2; look++) {
		int rc = 1;
		struct box_rec *r = look == 0 ? present(b, uid) : look_again(b, uid, &rc, e);
		if (rc < 0)
			return -1;
		if (!r)
			return 0;
		char name[MAILDIR_NAME_MAX + 1];
		maildir_box_name(r, name);
		if (sys_unlinkat(dir_of(d, r), name, 0) == 0) {
			r->where = BOX_ABSENT;
			r->gone = true;
			return 1;
		}
		if (errno != ENOENT)
			return err_sys(e, errno, "unlink %s/cur/%s", d->path, name);
	}
	return 0;
}

int maildir_keyword_mask(struct maildir_box *b, int root, const struct maildir_dir *d,
        const struct sv *names, size_t n, bool create, uint32_t *mask, struct err *e)
{
	*mask = 0;
	bool missing = false;
	for (size_t i = 0; i < n; i++) {
		int k = keywords_find(&b->kw, names[i]);
		if (k >= 0)
			*mask |= 1u << (unsigned)k;
		missing |= k < 0;
	}
	if (!missing || !create)
		return 1;
	struct box_lock *l = maildir_box_lock(b, root, d, e);
	if (!l)
		return -1;
	struct keywords k;
	int rc = maildir_keywords_read(b, d, e);
	if (rc == 0) {
		k = b->kw;
		for (size_t i = 0; i < n && rc == 0; i++) {
			int bit = keywords_add(&k, names[i]);
			if (bit < 0)
				rc = err_set(e, ERR_PERM, "keyword \"%.*s\": %s", SV_ARG(names[i]),
				        keyword_name_valid(names[i]) ? "all 26 are in use"
				                                     : "not a keyword");
			else
				*mask |= 1u << (unsigned)bit;
		}
	}
	if (rc == 0)
		rc = maildir_keywords_write(b, d, &k, e);
	maildir_box_unlock(l);
	return rc < 0 ? -1 : 1;
}

/* --- arrival -------------------------------------------------- */

struct box_lock *maildir_arrive_lock(
        struct maildir_box *b, int root, const struct maildir_dir *d, struct err *e)
{
	for (int look = 0; look < 2; look++) {
		struct box_lock *l = maildir_box_lock(b, root, d, e);
		if (!l)
			return NULL;
		int rc = maildir_uidlist_read(b, d, e);
		if (rc == 1 && b->list.h.nextuid <= UIDLIST_UID_MAX - BOX_MESSAGES_MAX &&
		        maildir_keywords_read(b, d, e) == 0)
			return l;
		maildir_box_unlock(l);
		/* no uidlist: the mail that is there comes first */
		b->dirty = true;
		if (rc < 0 || maildir_box_sync(b, e) != 1)
			return NULL;
	}
	err_set(e, ERR_TEMP, "%s: dovecot-uidlist vanishes again and again", d->path);
	return NULL;
}

int maildir_arrive(struct maildir_box *b, const struct maildir_dir *d, struct mail_arrival *v,
        size_t n, struct err *e)
{
	size_t first = b->n;
	uint32_t next = b->list.h.nextuid;
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct maildir_name name;
		struct box_rec *r = NULL;
		if (maildir_name_parse(sv_z(v[i].name), &name) == 1)
			r = maildir_box_push(b, b->list.h.nextuid, name.base, SV_NONE);
		if (!r) {
			rc = err_set(e, ERR_TEMP, "%s: more than %u messages", d->path,
			        BOX_MESSAGES_MAX);
			break;
		}
		v[i].uid = b->list.h.nextuid++;
		r->where = BOX_NEW;
		r->flags = name.flags;
		r->keywords = name.keywords;
		r->size = name.size;
		r->vsize = name.vsize;
		r->mark = b->scan;
		maildir_rec_set_info(r, sv_z(v[i].name));
	}
	if (rc == 0)
		rc = maildir_uidlist_write(b, d, first, e);
	if (rc < 0) {
		maildir_box_truncate(b, first);
		b->list.h.nextuid = next;
		b->dirty = true;
	}
	return rc;
}
