#include "lib/store/mbox_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/sys/clock.h"
#include "lib/sys/sys.h"

#define POLL_MS 10

int mbox_dir_open(const char *root, const char *rel, int *out, struct err *e)
{
	int dir = sys_open(root, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", root);
	struct sv rest = sv_z(rel);
	while (sv_chr(rest, '/') >= 0) {
		char name[256];
		int next = -1;
		if (sv_copyz(sv_take_until(&rest, '/'), name, sizeof(name)) == 0)
			next = sys_openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
		else
			errno = ENAMETOOLONG;
		int saved = errno;
		sys_close(dir);
		if (next < 0)
			return saved == ENOENT || saved == ENOTDIR ? 0 : err_sys(e, saved, "open %s/%s", root, rel);
		dir = next;
	}
	*out = dir;
	return 1;
}

static int refuse(const struct mbox_file *f, const char *why, struct err *e)
{
	return err_set(e, ERR_CONFIG, "%s: %s", f->path, why);
}

static int check(struct mbox_file *f, struct err *e)
{
	struct stat st;
	if (sys_fstat(f->fd, &st) < 0)
		return err_sys(e, errno, "stat %s", f->path);
	if (!S_ISREG(st.st_mode))
		return refuse(f, "is not a regular file", e);
	if (st.st_nlink != 1)
		return refuse(f, "has another link, or none", e);
	if (f->place->uid != (uid_t)-1 && st.st_uid != f->place->uid)
		return refuse(f, "belongs to another user", e);
	return 1;
}

/* A missing file. 1 or -1. */
static int make(struct mbox_file *f, struct err *e)
{
	if (f->spool) {
		if (f->spool->make(f->spool->ctx, f->name, e) < 0)
			return -1;
		f->fd = sys_openat(f->dir, f->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
		return f->fd < 0 ? err_sys(e, errno, "open %s", f->path) : 1;
	}
	f->fd = sys_openat(f->dir, f->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (f->fd < 0 && errno == EEXIST)
		f->fd = sys_openat(f->dir, f->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
	else if (f->fd >= 0 && sys_fsync(f->dir) < 0) {
		err_sys(e, errno, "fsync the directory of %s", f->path);
		(void)sys_unlinkat(f->dir, f->name, 0);
		return -1;
	}
	return f->fd < 0 ? err_sys(e, errno, "create %s", f->path) : 1;
}

int mbox_file_open(const struct mbox_place *p, bool create, struct mbox_file *f, struct err *e)
{
	*f = (struct mbox_file){ .place = p, .fd = -1, .dir = -1 };
	const char *slash = strrchr(p->rel, '/');
	f->name = slash ? slash + 1 : p->rel;
	(void)snprintf(f->path, sizeof(f->path), "%s/%s", p->root, p->rel);
	(void)snprintf(f->lock_name, sizeof(f->lock_name), "%s.lock", f->name);
	int rc = mbox_dir_open(p->root, p->rel, &f->dir, e);
	if (rc != 1)
		return rc;
	f->spool = spool_needed(p->spool, f->dir, p->root);
	f->fd = sys_openat(f->dir, f->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
	if (f->fd < 0 && errno == ENOENT && create)
		rc = make(f, e);
	else if (f->fd < 0 && errno == ENOENT)
		rc = 0;
	else if (f->fd < 0)
		rc = errno == EISDIR ? 0 : err_sys(e, errno, "open %s", f->path);
	if (rc == 1)
		rc = check(f, e);
	if (rc != 1)
		mbox_file_close(f);
	return rc;
}

static void nap(void)
{
	struct timespec t = { .tv_nsec = POLL_MS * 1000000L };
	(void)nanosleep(&t, NULL);
}

static void unlock(struct mbox_file *f)
{
	struct flock fl = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
	mbox_dot_drop(&f->dot);
	if (f->lock != MBOX_UNLOCKED)
		(void)fcntl(f->fd, F_OFD_SETLK, &fl);
	f->lock = MBOX_UNLOCKED;
}

/* 1 taken, 0 somebody has it, -1. */
static int try_fcntl(struct mbox_file *f, short type, struct err *e)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET };
	if (fcntl(f->fd, F_OFD_SETLK, &fl) == 0)
		return 1;
	if (errno == EAGAIN || errno == EACCES || errno == EINTR)
		return 0;
	return err_sys(e, errno, "lock %s", f->path);
}

static int try_dot(struct mbox_file *f, struct err *e)
{
	const struct mbox_dot_def def = { .dir = f->dir, .path = f->place->root, .name = f->name,
		.lock_name = f->lock_name, .stale_s = MBOX_STALE_S, .spool = f->spool };
	return mbox_dot_try(&f->dot, &def, e);
}

/* One attempt at everything; what was got is given back when not all of it was to be had. 1, 0, -1. */
static int attempt(struct mbox_file *f, enum mbox_access how, struct err *e)
{
	int rc = try_fcntl(f, how == MBOX_READ ? F_RDLCK : F_WRLCK, e);
	if (rc != 1)
		return rc;
	f->lock = how;
	rc = how == MBOX_READ ? 1 : try_dot(f, e);
	if (rc != 1)
		unlock(f);
	return rc;
}

int mbox_file_lock(struct mbox_file *f, enum mbox_access how, struct err *e)
{
	int64_t end = clock_mono_ms() + f->place->lock_timeout_ms;
	if (f->lock == how)
		return 0;
	unlock(f);
	while (how != MBOX_UNLOCKED) {
		int rc = attempt(f, how, e);
		if (rc == 1) /* the file that had this name may have gone while we waited */
			rc = check(f, e);
		if (rc != 0) {
			if (rc < 0)
				unlock(f);
			return rc < 0 ? -1 : 0;
		}
		if (clock_mono_ms() >= end)
			return err_sys(e, ETIMEDOUT, "lock %s", f->path);
		nap();
	}
	return 0;
}

void mbox_file_close(struct mbox_file *f)
{
	if (f->fd >= 0) {
		unlock(f);
		sys_close(f->fd);
	}
	sys_close(f->dir);
	f->fd = f->dir = -1;
}
