/*
 * Reading new/ and cur/. new/ comes first: a file that a reader moves meanwhile is then seen in cur/.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/num.h"
#include "lib/store/maildir_box.h"
#include "lib/sys/clock.h"
#include "lib/sys/sys.h"

/* A directory whose time is so close to the look at it may change again within the same tick. */
#define SETTLED_S    2
#define CLOCK_BACK_S 3600 /* no file server's clock is that far from ours */

static void pend(struct box_pendings *p, const char *name, bool in_new)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 32;
		p->v = mem_realloc(p->v, p->cap * sizeof(*p->v));
	}
	p->v[p->n++] = (struct box_pending){ .name = mem_strdup(name), .in_new = in_new };
}

void maildir_pendings_free(struct box_pendings *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].name);
	free(p->v);
	*p = (struct box_pendings){ 0 };
}

static int by_arrival(const void *a, const void *b)
{
	struct sv x = sv_z(((const struct box_pending *)a)->name);
	struct sv y = sv_z(((const struct box_pending *)b)->name);
	struct sv rx = x, ry = y;
	uint64_t sx = 0, sy = 0;
	if (num_u64(sv_take_until(&rx, '.'), &sx) < 0)
		sx = 0;
	if (num_u64(sv_take_until(&ry, '.'), &sy) < 0)
		sy = 0;
	if (sx != sy)
		return sx < sy ? -1 : 1;
	return sv_cmp(x, y);
}

void maildir_pendings_sort(struct box_pendings *p)
{
	if (p->n > 1)
		qsort(p->v, p->n, sizeof(*p->v), by_arrival);
}

static void one_file(struct maildir_box *b, const char *z, bool in_new, struct box_pendings *p)
{
	struct maildir_name n;
	if (maildir_name_parse(sv_z(z), &n) != 1)
		return;
	struct box_rec *r = maildir_box_by_base(b, n.base);
	if (!r) {
		pend(p, z, in_new);
		return;
	}
	r->mark = b->scan;
	r->gone = false;
	r->where = in_new ? BOX_NEW : BOX_CUR;
	r->recent |= in_new && !b->writable;
	r->flags = n.flags;
	r->keywords = n.keywords;
	if (n.size != 0)
		r->size = n.size;
	if (n.vsize != 0)
		r->vsize = n.vsize;
	maildir_rec_set_info(r, sv_z(z));
}

static int scan_dir(struct maildir_box *b, const struct maildir_dir *d, bool in_new,
        struct box_pendings *p, struct box_seen *seen, struct err *e)
{
	const char *sub = in_new ? "new" : "cur";
	int fd = sys_openat(in_new ? d->new_ : d->cur, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct stat st;
	if (!dir || sys_fstat(fd, &st) < 0) {
		int saved = errno;
		if (dir)
			(void)closedir(dir);
		else if (fd >= 0)
			sys_close(fd);
		return err_sys(e, saved, "open %s/%s", d->path, sub);
	}
	*seen = (struct box_seen){ .mtime = st.st_mtim, .at_s = clock_wall_s() };
	size_t limit = 2 * (size_t)BOX_MESSAGES_MAX;
	struct dirent *de;
	errno = 0;
	while (limit > 0 && (de = readdir(dir)) != NULL) {
		if (de->d_type == DT_REG || de->d_type == DT_UNKNOWN)
			one_file(b, de->d_name, in_new, p);
		limit--;
		errno = 0;
	}
	int saved = errno;
	(void)closedir(dir);
	if (limit == 0)
		return err_set(e, ERR_TEMP, "%s/%s: too many files", d->path, sub);
	if (saved != 0)
		return err_sys(e, saved, "read %s/%s", d->path, sub);
	return 0;
}

int maildir_scan(
        struct maildir_box *b, const struct maildir_dir *d, struct box_pendings *p, struct err *e)
{
	b->scan++;
	if (scan_dir(b, d, true, p, &b->seen_new, e) < 0)
		return -1;
	return scan_dir(b, d, false, p, &b->seen_cur, e);
}

static bool moved_on(int fd, const struct box_seen *seen)
{
	struct stat st;
	if (sys_fstat(fd, &st) < 0)
		return true;
	/* a change within the same tick would not be seen; of the future: the clock was set back, another change
	 * will get another time */
	int64_t ago = seen->at_s - (int64_t)st.st_mtim.tv_sec;
	return st.st_mtim.tv_sec != seen->mtime.tv_sec || st.st_mtim.tv_nsec != seen->mtime.tv_nsec ||
	       (ago < SETTLED_S && ago > -CLOCK_BACK_S);
}

bool maildir_scan_needed(struct maildir_box *b, const struct maildir_dir *d)
{
	return moved_on(d->new_, &b->seen_new) || moved_on(d->cur, &b->seen_cur);
}
